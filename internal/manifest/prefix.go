package manifest

import "strings"

const (
	prefixBegins = `sub ^= "`
	prefixEnds   = `"`
)

// PrefixFilter selects the users whose sub begins with a prefix, which must have
// no quotes in it (Cognito API reference, ListUsers: an attribute, ^= for
// "starts with", a value in quotes).
func PrefixFilter(prefix string) string { return prefixBegins + prefix + prefixEnds }

// Prefix returns the beginning of all subs of the shard, as its filter has it;
// empty for a shard without such a filter.
func (s Shard) Prefix() string {
	rest, begins := strings.CutPrefix(s.Filter, prefixBegins)
	prefix, ends := strings.CutSuffix(rest, prefixEnds)
	if !begins || !ends {
		return ""
	}
	return prefix
}
