"""One reader for all time series: prices, weather, powers, jobs, the rows of a schedule."""
