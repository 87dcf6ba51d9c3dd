package config

import "fmt"

// Pace is how many requests per second poolferry may send, per category of
// requests as Cognito counts them: per account and region, all pools together.
// Production sign-ins share these quotas, so the default is a third of each.
type Pace struct {
	UserAuthentication float64 `yaml:"user_authentication" json:"user_authentication"`
	UserRead           float64 `yaml:"user_read" json:"user_read"`
	UserList           float64 `yaml:"user_list" json:"user_list"`
	UserUpdate         float64 `yaml:"user_update" json:"user_update"`
	UserResourceUpdate float64 `yaml:"user_resource_update" json:"user_resource_update"`
	UserResourceRead   float64 `yaml:"user_resource_read" json:"user_resource_read"`
	// QuotaRaised allows a pace above AWS's default quotas, for accounts whose
	// quotas were raised.
	QuotaRaised bool `yaml:"quota_raised" json:"quota_raised,omitempty"`
}

// maxPace bounds a pace whatever the quota, to catch a slip of the finger.
const maxPace = 10_000

func defaultPace() Pace {
	return Pace{UserAuthentication: 40, UserRead: 40, UserList: 10, UserUpdate: 8, UserResourceUpdate: 8, UserResourceRead: 16}
}

// check reports every category of p that is out of bounds. The
// quotas are AWS's defaults (Cognito Developer Guide, quotas).
func (p Pace) check(report func(field, why string)) {
	for _, c := range []struct {
		name  string
		rate  float64
		quota float64
	}{
		{"user_authentication", p.UserAuthentication, 120},
		{"user_read", p.UserRead, 120},
		{"user_list", p.UserList, 30},
		{"user_update", p.UserUpdate, 25},
		{"user_resource_update", p.UserResourceUpdate, 25},
		{"user_resource_read", p.UserResourceRead, 50},
	} {
		switch {
		case !(c.rate > 0): // NaN too
			report("pace."+c.name, fmt.Sprintf("%v is not a number of requests per second above 0", c.rate))
		case c.rate > maxPace:
			report("pace."+c.name, fmt.Sprintf("%v is more than %d requests per second", c.rate, maxPace))
		case c.rate > c.quota && !p.QuotaRaised:
			report("pace."+c.name, fmt.Sprintf("%v is more than the default quota of %v requests per second; if AWS has raised yours, set pace.quota_raised: true", c.rate, c.quota))
		}
	}
}
