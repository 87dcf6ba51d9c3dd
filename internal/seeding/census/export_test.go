package census

// DiffWith is Diff with a bound on what is in memory at a time.
var DiffWith = diff
