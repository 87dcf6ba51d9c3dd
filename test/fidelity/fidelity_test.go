package fidelity

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// verdicts count how the cases of a group ended.
type verdicts struct{ passed, refused, wrong int }

func (v *verdicts) add(o verdicts) {
	v.passed += o.passed
	v.refused += o.refused
	v.wrong += o.wrong
}

func TestFidelity(t *testing.T) {
	file := os.Getenv("ASL_CASES")
	if file == "" {
		t.Skip("no recorded cases: make fidelity ASL_CASES=FILE")
	}
	r, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	groups, reasons, now := map[string]*verdicts{}, map[string]int{}, time.Now()
	var wrong []string
	for _, c := range r.Cases {
		if groups[c.Group] == nil {
			groups[c.Group] = &verdicts{}
		}
		var (
			difference string
			err        error
		)
		synctest.Test(t, func(t *testing.T) { difference, err = play(t, c, now) })
		refused, ok := errors.AsType[*refusedError](err)
		switch {
		case ok:
			groups[c.Group].refused++
			reasons[strings.TrimPrefix(refused.what, "the poolferry sandbox does not support in state machines ")]++
		case err != nil:
			t.Fatalf("%s: %v", c.ID, err)
		case difference != "":
			groups[c.Group].wrong++
			wrong = append(wrong, c.ID+"\n    "+difference)
		default:
			groups[c.Group].passed++
		}
	}
	report(groups, reasons, wrong)
	if len(wrong) > 0 {
		t.Errorf("%d of %d cases are wrong", len(wrong), len(r.Cases))
	}
}

// report prints the table; without -v the go command shows it on failure only.
func report(groups map[string]*verdicts, reasons map[string]int, wrong []string) {
	line := func(name string, v verdicts) {
		fmt.Printf("%-42s %7d %8d %6d\n", name, v.passed, v.refused, v.wrong)
	}
	fmt.Printf("\n%-42s %7s %8s %6s\n", "group", "passed", "refused", "wrong")
	var total verdicts
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		line(name, *groups[name])
		total.add(*groups[name])
	}
	line("all", total)
	if len(reasons) > 0 {
		fmt.Print("\nrefused at creation, since the sandbox does not support:\n")
	}
	for _, what := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(reasons[b]-reasons[a], strings.Compare(a, b))
	}) {
		fmt.Printf("%7d  %s\n", reasons[what], what)
	}
	if len(wrong) > 0 {
		fmt.Print("\nwrong:\n")
	}
	for _, text := range wrong {
		fmt.Println("  " + text)
	}
	fmt.Println()
}
