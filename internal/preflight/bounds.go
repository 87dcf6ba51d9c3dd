package preflight

import (
	"fmt"
	"strings"

	"poolferry/internal/preflight/resource"
	"poolferry/internal/preflight/staged"
)

// defaultQuotas are requests per second by category (Cognito Developer Guide,
// quotas).
var defaultQuotas = map[string]float64{
	"UserAuthentication": 120, "UserRead": 120, "UserList": 30, "UserUpdate": 25, "UserResourceUpdate": 25, "UserResourceRead": 50,
}

// paces holds the configured pace against the quotas. Those of the source are in
// an account whose roles may not ask for them.
func (j *judge) paces() {
	assumed := j.Quotas == nil
	var above, most []string
	for _, p := range j.Paces {
		quota := defaultQuotas[p.Category]
		if read, ok := j.Quotas[p.Category]; ok && !p.AtSource {
			quota = read
		} else if j.QuotaRaised {
			assumed = true
			continue // somebody says that the default is not the quota
		}
		what := fmt.Sprintf("pace.%s: %v of %v per second", p.Line, p.PerSecond, quota)
		switch {
		case p.PerSecond > quota:
			above = append(above, what)
		case p.PerSecond > quota/2:
			most = append(most, what)
		}
	}
	if len(above) > 0 {
		j.add(PaceAbove, "configuration", strings.Join(above, ", "))
	}
	if len(most) > 0 {
		j.add(PaceMost, "configuration", strings.Join(most, ", "))
	}
	if assumed {
		j.add(QuotasAssumed, "configuration", "")
	}
}

func (j *judge) bucket() {
	b, about := j.Bucket, "bucket "+j.StagingBucket
	if b == nil {
		return
	}
	switch {
	case b.Missing:
		j.add(BucketMissing, about, "")
		return
	case b.Foreign:
		j.add(BucketForeign, about, "")
		return
	case b.Elsewhere:
		j.add(BucketElsewhere, about, "target.region is %s", j.Target.Region)
		return
	}
	policy, err := resource.Parse(b.Policy)
	partition := "aws"
	if j.LoginRole != "" {
		partition = partitionOf(j.LoginRole)
	}
	if !b.PolicyUnread && (err != nil || !policy.RefusesPlainHTTP("arn:"+partition+":s3:::"+j.StagingBucket)) {
		j.add(BucketPlainHTTP, about, "")
	}
	if !b.PublicBlocked {
		j.add(BucketPublic, about, "")
	}
	if !b.KMS {
		j.add(BucketUnencrypted, about, "")
	}
	if !b.Expires {
		j.add(BucketKeeps, about, "")
	}
	if !b.Versioned {
		j.add(BucketUnversioned, about, "")
	}
}

// The words of the outlook for users who have no name at the target; those of
// package verdict.
var namelessWords = []string{"no_name_carried", "username_unusable"}

// staged is about every profile.
func (j *judge) staged() {
	about := "run " + j.Run
	if j.RunPlan != nil {
		j.add(RunPlanDiffers, about, j.RunPlan.Error())
	}
	if j.StagedError != nil {
		j.add(StagedDamaged, about, j.StagedError.Error())
	}
	s := j.Staged
	if s == nil {
		return
	}
	about = fmt.Sprintf("generation %d of run %s", s.Generation, j.Run)
	if !s.Closed {
		j.add(StagedPartly, about, "%d users so far", s.Users)
	}
	for _, of := range []struct {
		code  Code
		unfit staged.Unfit
	}{{ProfilesRefused, s.Refused}, {ProfilesTrimmed, s.Trimmed}} {
		if of.unfit.Users > 0 {
			f := j.add(of.code, about, "%d of %d users", of.unfit.Users, s.Users)
			f.Users, f.Counts, f.Subs = of.unfit.Users, of.unfit.Counts, of.unfit.Subs
		}
	}
	nameless := 0
	for _, word := range namelessWords {
		nameless += s.Outlook[word]
	}
	if nameless > 0 {
		j.add(ProfilesNameless, about, "%d of %d users", nameless, s.Users).Users = nameless
	}
	if s.Shared.Users > 0 {
		f := j.add(NamesShared, about, "%d names are shared by %d users, %d of them only where upper and lower case are not told apart", s.Shared.Names, s.Shared.Users, s.Shared.ByCase)
		f.Users, f.Subs = s.Shared.Users, s.Shared.Subs
	}
}
