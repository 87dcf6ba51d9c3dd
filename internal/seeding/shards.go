package seeding

import (
	"strings"

	"poolferry/internal/manifest"
)

// Ids of shards that are no prefix.
const (
	serialShard = "all"
	groupsShard = "groups"
)

// serial is one shard with all users.
func serial() []manifest.Shard {
	return []manifest.Shard{{ID: serialShard, Content: manifest.Profiles}}
}

// prefixes are a shard for each hexadecimal digit that a sub, which is a UUID,
// can begin with.
func prefixes() (shards []manifest.Shard) {
	for _, digit := range strings.Split("0123456789abcdef", "") {
		shards = append(shards, manifest.Shard{ID: digit, Content: manifest.Profiles, Filter: manifest.PrefixFilter(digit)})
	}
	return shards
}

// byPrefix reports whether shards rely on the pool's honouring prefix filters.
func byPrefix(shards []manifest.Shard) bool {
	for _, s := range shards {
		if s.Filter != "" {
			return true
		}
	}
	return false
}

// withGroups adds the shard of memberships where the pool has groups.
func withGroups(shards []manifest.Shard, groups manifest.Groups) []manifest.Shard {
	var all []manifest.Shard
	for _, s := range shards {
		if s.Content == manifest.Profiles {
			all = append(all, s)
		}
	}
	if len(groups.Groups) > 0 {
		all = append(all, manifest.Shard{ID: groupsShard, Content: manifest.Members})
	}
	return all
}
