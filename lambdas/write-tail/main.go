// Command write-tail writes a file of an import of the tail: see Write in package internal/tail.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("write-tail", lambdas.WriteTail) }
