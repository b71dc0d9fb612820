"""Parts of load tracking: samples, repetition and guess of the load; reference of the grid."""
