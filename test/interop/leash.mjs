// Ends this process when its standard input ends: the test holds the other end,
// so that nothing keeps running when the test is killed. Loaded with --import.
process.stdin.resume().on("end", () => process.exit());
