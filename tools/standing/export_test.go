package standing

// Stages is how many states have words.
var Stages = len(stages)
