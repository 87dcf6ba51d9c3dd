package scan

import (
	"strings"

	"poolferry/internal/manifest"
)

// serialShard is the id of a shard with all users.
const serialShard = "all"

// digits are what a sub, which is a UUID, can begin with.
const digits = "0123456789abcdef"

// Serial is one shard with all users.
func Serial() []manifest.Shard {
	return []manifest.Shard{{ID: serialShard, Content: manifest.Profiles}}
}

// Prefixes are a shard for each hexadecimal digit.
func Prefixes() (shards []manifest.Shard) {
	for _, digit := range strings.Split(digits, "") {
		shards = append(shards, manifest.Shard{ID: digit, Content: manifest.Profiles, Filter: manifest.PrefixFilter(digit)})
	}
	return shards
}

// ByPrefix reports whether shards rely on the pool's honouring prefix filters.
func ByPrefix(shards []manifest.Shard) bool {
	for _, s := range shards {
		if s.Filter != "" {
			return true
		}
	}
	return false
}
