package seeding

import "poolferry/internal/manifest"

// groupsShard is the id of the shard of memberships.
const groupsShard = "groups"

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
