// Command open-tail begins an import of the tail: see Open in package internal/tail.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("open-tail", lambdas.OpenTail) }
