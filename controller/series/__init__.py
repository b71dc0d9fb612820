"""One reader of time series: prices, weather, powers, jobs, the rows of a schedule."""
