package shuffle_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"poolferry/internal/userpool"
)

// person is the n-th user of a crowd, with about as much to say as a real one.
func person(n int) userpool.User {
	random := rand.New(rand.NewPCG(uint64(n), 7)) //nolint:gosec // repeatable on purpose
	created := time.Date(2025, 1, 1, 0, 0, n, 123_000_000, time.UTC)
	sub := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), n&0xffff, random.Uint32()&0xfff, random.Uint32()&0xfff, random.Uint64()&0xffffffffffff)
	return userpool.User{
		Sub: userpool.Sub(sub), Username: fmt.Sprintf("person-%x", random.Uint32()), Enabled: n%50 != 0, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{
			"email": fmt.Sprintf("person-%x@mail-%d.example.com", random.Uint32(), random.IntN(50)), "email_verified": "true",
			"phone_number": fmt.Sprintf("+4915%09d", random.IntN(1e9)), "phone_number_verified": "false",
			"given_name": fmt.Sprintf("Ada-%x", random.Uint32()&0xfff), "family_name": fmt.Sprintf("Byron-%x", random.Uint32()&0xfffff),
			"locale": "de-AT", "custom:plan": []string{"free", "team", "business"}[n%3], "custom:legacy_sub": sub,
		},
		Created: created, Modified: created.Add(time.Duration(random.IntN(1e9)) * time.Millisecond),
	}
}

// arrived is a user as the trigger makes them.
func arrived(u userpool.User) userpool.User {
	random := rand.New(rand.NewPCG(uint64(u.Created.Unix()), 11)) //nolint:gosec // repeatable on purpose
	u.Attributes = u.Attributes.Clone()
	u.Attributes[userpool.AttrLegacySub] = string(u.Sub)
	u.Sub = userpool.Sub(fmt.Sprintf("%08x-0000-4000-9000-%012x", random.Uint32(), random.Uint64()&0xffffffffffff))
	u.Attributes["sub"] = string(u.Sub)
	u.Created = u.Created.AddDate(1, 0, 0)
	u.Modified = u.Created
	return u
}

func people(n int) (users []userpool.User) {
	for i := range n {
		users = append(users, person(i))
	}
	return users
}

var target = userpool.Pool{
	ID: "eu-central-1_new", Aliases: []string{userpool.AttrEmail, userpool.AttrPhoneNumber}, Schema: userpool.Schema{}, MFA: userpool.MFAOff,
}
