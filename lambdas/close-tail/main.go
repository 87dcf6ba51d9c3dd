// Command close-tail ends an import of the tail: see Close in package internal/tail.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("close-tail", lambdas.CloseTail) }
