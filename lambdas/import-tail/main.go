// Command import-tail takes an import of the tail one step further: see Import in package internal/tail.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("import-tail", lambdas.ImportTail) }
