package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// row is a line of a CSV file by column; what is not named is empty, but for the
// flags, which are false.
type row map[string]string

// verified is a row of somebody with an e-mail address.
func verified(username string) row {
	return row{"cognito:username": username, "email": mailbox(unique("row")), "email_verified": "true"}
}

// with is the row with other values.
func (r row) with(more row) row {
	all := maps.Clone(r)
	maps.Copy(all, more)
	return all
}

// job is what became of an import job. Times are since its start.
type job struct {
	states []string // as they were seen, with when
	end    *types.UserImportJobType
	took   time.Duration
	lines  map[int]string // of the log, by number
	other  []string       // of the log, without a number
	first  time.Duration  // from the end of the job to the first line of its log; less than 0 for none
	whole  time.Duration  // to the last
}

// oneJob is held by whoever has an import job: an account has one active job at a
// time (Cognito Developer Guide, importing users from a CSV file).
var oneJob sync.Mutex

var numbered = regexp.MustCompile(`Line Number (\d+)`)

// unaskable ends a probe that needs something that the ground does not have.
func unaskable(t *testing.T, why string) {
	t.Helper()
	answers.give(t.Name(), "not asked: "+why)
	t.SkipNow()
}

// imports imports rows into a pool, and waits for the end and for a log that has
// said something of each. at is called whenever the job was looked at, with its
// state; it may be nil.
func (p *pool) imports(rows []row, at func(types.UserImportJobStatusType)) job {
	p.t.Helper()
	ctx, g := p.t.Context(), p.g
	if g.importLog == "" {
		unaskable(p.t, importLogRole+" names no role for the logs of import jobs")
	}
	oneJob.Lock()
	defer oneJob.Unlock()
	header, err := g.target.GetCSVHeader(ctx, &cip.GetCSVHeaderInput{UserPoolId: &p.id})
	g.must(p.t, err)
	made, err := g.target.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &p.id, JobName: aws.String(unique("job")), CloudWatchLogsRoleArn: &g.importLog})
	g.must(p.t, err)
	id, group := made.UserImportJob.JobId, "/aws/cognito/userpools/"+p.id+"/"+p.name
	g.must(p.t, put(ctx, aws.ToString(made.UserImportJob.PreSignedUrl), file(header.CSVHeader, rows)))
	var started *cip.StartUserImportJobOutput
	g.must(p.t, within(ctx, g.patience, g.tick, func() (err error) { // another job of the account may be active
		started, err = g.target.StartUserImportJob(ctx, &cip.StartUserImportJobInput{UserPoolId: &p.id, JobId: id})
		return err
	}))
	afterwards(p.t, "log group "+group, func(ctx context.Context) error {
		_, err := g.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &group})
		return err
	})
	var j job
	begun := time.Now()
	sees := func(state types.UserImportJobStatusType) {
		if seen := len(j.states); seen == 0 || !strings.HasPrefix(j.states[seen-1], string(state)) {
			j.states = append(j.states, fmt.Sprintf("%s at %.1f s", state, time.Since(begun).Seconds()))
		}
		if at != nil {
			at(state)
		}
	}
	sees(made.UserImportJob.Status)
	sees(started.UserImportJob.Status)
	err = within(ctx, g.patience, g.tick, func() error {
		out, err := g.target.DescribeUserImportJob(ctx, &cip.DescribeUserImportJobInput{UserPoolId: &p.id, JobId: id})
		if err != nil {
			return err
		}
		j.end = out.UserImportJob
		sees(j.end.Status)
		switch j.end.Status {
		case types.UserImportJobStatusTypeSucceeded, types.UserImportJobStatusTypeFailed, types.UserImportJobStatusTypeStopped, types.UserImportJobStatusTypeExpired:
			return nil
		}
		return errors.New("the import job is " + string(j.end.Status))
	})
	if err != nil {
		_, stopped := g.target.StopUserImportJob(ctx, &cip.StopUserImportJobInput{UserPoolId: &p.id, JobId: id})
		p.t.Fatal(said(err), said(stopped))
	}
	j.took = time.Since(begun)
	j.readLog(ctx, g, group, *id+"/"+aws.ToString(made.UserImportJob.JobName), len(rows))
	return j
}

// readLog asks for the log until it has said something of as many lines as there
// are rows, or for a while. A log that says nothing is an answer, too.
func (j *job) readLog(ctx context.Context, g *ground, group, stream string, rows int) {
	ended := time.Now()
	j.first = -1
	_ = within(ctx, g.usable, g.tick, func() error {
		j.lines, j.other = map[int]string{}, nil
		in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream, StartFromHead: aws.Bool(true)}
		for {
			out, err := g.logs.GetLogEvents(ctx, in)
			if err != nil {
				return err
			}
			for _, event := range out.Events {
				text := strings.TrimSpace(aws.ToString(event.Message))
				if found := numbered.FindStringSubmatch(text); found != nil {
					n, _ := strconv.Atoi(found[1]) // digits
					j.lines[n] = text
					continue
				}
				j.other = append(j.other, text)
			}
			if aws.ToString(out.NextForwardToken) == aws.ToString(in.NextToken) {
				break
			}
			in.NextToken = out.NextForwardToken
		}
		j.whole = time.Since(ended)
		if len(j.lines) > 0 && j.first < 0 {
			j.first = j.whole
		}
		if len(j.lines) < rows {
			return fmt.Errorf("the log has %d lines of %d", len(j.lines), rows)
		}
		return nil
	})
}

// says is what the log says of a row, the first being 0: lines are taken to be in
// the order of the file, whatever their first number is.
func (j *job) says(at int) string {
	numbers := slices.Sorted(maps.Keys(j.lines))
	if at >= len(numbers) {
		return "nothing in the log"
	}
	return j.lines[numbers[at]]
}

// ended is the end of a job, as its counters and its message have it.
func (j *job) ended() string {
	return fmt.Sprintf("%s after %.1f s, imported %d, skipped %d, failed %d, %q", j.end.Status, j.took.Seconds(),
		j.end.ImportedUsers, j.end.SkippedUsers, j.end.FailedUsers, aws.ToString(j.end.CompletionMessage))
}

// file writes rows as a file for a pool. The values are without commas.
func file(header []string, rows []row) string {
	var b strings.Builder
	b.WriteString(strings.Join(header, ",") + "\n")
	for _, r := range rows {
		values := make([]string, len(header))
		for i, column := range header {
			value, given := r[column]
			if flag := strings.HasSuffix(column, "_verified") || column == "cognito:mfa_enabled"; flag && !given {
				value = "false"
			}
			values[i] = value
		}
		b.WriteString(strings.Join(values, ",") + "\n")
	}
	return b.String()
}

// put puts a file under a job's URL, which is in no error.
func put(ctx context.Context, to, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, to, strings.NewReader(file))
	if err != nil {
		return errors.New("the URL of the import job is none")
	}
	request.Header.Set("x-amz-server-side-encryption", "aws:kms")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return errors.New("the file of the import job could not be put")
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the file of the import job is answered %s", answer.Status)
	}
	return nil
}

// jobLog imports good rows among which are bad ones.
func jobLog(t *testing.T, g *ground) string {
	p := g.pool(t, nil)
	rows := []row{
		verified(unique("row")), // line 1, if the header is not counted
		verified(p.user("")),
		verified(unique("row")).with(row{"email_verified": "false"}),
		verified(unique("row")).with(row{"birthdate": "1970-01-01"}),
		verified(""),
	}
	for range 9 {
		rows = append(rows, verified(unique("row")))
	}
	j := p.imports(rows, nil)
	parts := []string{part("states", strings.Join(j.states, ", ")), j.ended()}
	numbers := slices.Sorted(maps.Keys(j.lines))
	if len(numbers) == 0 {
		return each(append(parts, fmt.Sprintf("no line in the log within %.0f s", j.whole.Seconds()))...)
	}
	parts = append(parts, fmt.Sprintf("%d rows are lines %d to %d", len(rows), numbers[0], numbers[len(numbers)-1]),
		fmt.Sprintf("the log began %.1f s after the end of the job and had %d lines after %.1f s", j.first.Seconds(), len(numbers), j.whole.Seconds()))
	for i, what := range []string{"fine", "exists", "not verified", "1970-01-01 as birthdate", "no username"} {
		parts = append(parts, part(what, j.says(i)))
	}
	for _, text := range j.other {
		parts = append(parts, part("besides", text))
	}
	return each(parts...)
}

func importUsername(t *testing.T, g *ground) string {
	p := g.pool(t, func(in *cip.CreateUserPoolInput) {
		in.UsernameAttributes = []types.UsernameAttributeType{types.UsernameAttributeTypeEmail}
	})
	kinds := []string{"the address", "the sub at the source", "a name"}
	rows := []row{verified(""), verified("0f3c4b52-7a4e-4a53-9d38-1d2f6f2c0e5a"), verified(unique("row"))}
	rows[0]["cognito:username"] = rows[0]["email"]
	j := p.imports(rows, nil)
	var parts []string
	for i, kind := range kinds {
		parts = append(parts, part(kind, j.says(i)+", then "+p.named(rows[i]["email"], rows[i]["cognito:username"])))
	}
	return each(append(parts, j.ended())...)
}

// named says which username the user of an address has.
func (p *pool) named(address, given string) string {
	out, err := p.g.target.AdminGetUser(p.t.Context(), &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &address})
	if err != nil {
		return said(err)
	}
	sub := ""
	for _, a := range out.UserAttributes {
		if aws.ToString(a.Name) == "sub" {
			sub = aws.ToString(a.Value)
		}
	}
	switch username := aws.ToString(out.Username); username {
	case sub:
		return string(out.UserStatus) + " with its new sub as username"
	case given:
		return string(out.UserStatus) + " with the username of the file"
	default:
		return string(out.UserStatus) + " with the username " + username
	}
}

// texting makes a pool that can ask for a code by SMS, by the role with which the
// target pool sends them. None is sent.
func (g *ground) texting(t *testing.T) *pool {
	t.Helper()
	out, err := g.target.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &g.cfg.Target.PoolID})
	g.must(t, err)
	if out.UserPool.SmsConfiguration == nil {
		unaskable(t, "the target pool sends no SMS, and a pool of the probe would need its role")
	}
	return g.pool(t, func(in *cip.CreateUserPoolInput) {
		in.MfaConfiguration, in.SmsConfiguration = types.UserPoolMfaTypeOptional, out.UserPool.SmsConfiguration
		in.AutoVerifiedAttributes = append(in.AutoVerifiedAttributes, types.VerifiedAttributeTypePhoneNumber)
	})
}

// prefersSMS asks that a user be asked for a code by SMS, and says how that ends.
func (p *pool) prefersSMS(name string) string {
	_, err := p.g.target.AdminSetUserMFAPreference(p.t.Context(), &cip.AdminSetUserMFAPreferenceInput{
		UserPoolId: &p.id, Username: &name, SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: true},
	})
	return cmp.Or(said(err), "works") + ", then " + p.factors(name)
}

// factors are the second factors of a user.
func (p *pool) factors(name string) string {
	out, err := p.g.target.AdminGetUser(p.t.Context(), &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &name})
	if err != nil {
		return said(err)
	}
	return fmt.Sprintf("%s with %v, preferred %q", out.UserStatus, out.UserMFASettingList, aws.ToString(out.PreferredMfaSetting))
}

func importMFA(t *testing.T, g *ground) string {
	p := g.texting(t)
	var rows []row
	for i, column := range []string{"", "true", "false"} {
		rows = append(rows, verified(unique("row")).with(row{
			"phone_number": fmt.Sprintf("+1202555010%d", i), "phone_number_verified": "true", "cognito:mfa_enabled": column,
		}))
	}
	j := p.imports(rows, nil)
	var parts []string
	for i, r := range rows {
		name := r["cognito:username"]
		parts = append(parts, part(fmt.Sprintf("column %q", r["cognito:mfa_enabled"]), each(j.says(i), p.factors(name), part("AdminSetUserMFAPreference", p.prefersSMS(name)))))
	}
	return each(append(parts, j.ended())...)
}

// importRace has a third of those who are imported sign in meanwhile, from the
// last row backwards, and everybody once more when the job has ended.
func importRace(t *testing.T, g *ground) string {
	const users = 30
	p := g.scripted(t, script{Cases: map[string]reply{"full": {Response: migrates(confirmed)}}}, nil)
	client := p.client(telling)
	type racer struct{ name, password, during string }
	racers := make([]racer, users)
	rows := make([]row, users)
	for i := range racers {
		racers[i] = racer{name: typed("full"), password: password()}
		rows[i] = verified(racers[i].name)
	}
	next, looks := users, 0
	j := p.imports(rows, func(state types.UserImportJobStatusType) {
		// A job may be pending for long: some come early, most while rows are read.
		looks++
		if busy := state == types.UserImportJobStatusTypeInProgress; next > users-users/3 && (busy || state == types.UserImportJobStatusTypePending && looks%5 == 0) {
			next--
			racers[next].during = p.signIn(client, racers[next].name, racers[next].password)
		}
	})
	counts := map[string]int{}
	well := 0
	for i, r := range racers {
		then := p.signIn(client, r.name, r.password)
		standing := p.standing(r.name)
		moved := standing == string(types.UserStatusTypeConfirmed) && then == "signed in"
		imported := standing == string(types.UserStatusTypeResetRequired) && strings.HasPrefix(then, "PasswordResetRequiredException")
		if moved || imported {
			well++
		}
		text, _, _ := strings.Cut(j.says(i), " Line Number")
		counts[fmt.Sprintf("%s, in the log %s, then %s and %s", cmp.Or(r.during, "did not sign in meanwhile"), text, standing, then)]++
	}
	parts := []string{fmt.Sprintf("%d of %d end well", well, users)}
	for _, way := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, part(strconv.Itoa(counts[way])+" users", way))
	}
	return each(append(parts, j.ended())...)
}

// disableReset disables users who have to reset their password, however they came
// to that.
func disableReset(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"absent": {Response: migrates("")}}}, nil)
	client, secret := p.client(telling), password()
	names := map[string]string{"reset by an administrator": p.user(secret), "migrated": typed("absent")}
	reset := names["reset by an administrator"]
	_, err := g.target.AdminResetUserPassword(t.Context(), &cip.AdminResetUserPasswordInput{UserPoolId: &p.id, Username: &reset})
	g.must(t, err)
	p.signIn(client, names["migrated"], secret) // which creates the user
	if g.importLog != "" {
		r := verified(unique("row"))
		p.imports([]row{r}, nil)
		names["imported"] = r["cognito:username"]
	}
	var parts []string
	for _, how := range slices.Sorted(maps.Keys(names)) {
		name := names[how]
		before := p.standing(name)
		_, err := g.target.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &p.id, Username: &name})
		_, forgotten := g.target.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: &client, Username: &name})
		parts = append(parts, part(how+", "+before, each(part("AdminDisableUser", cmp.Or(said(err), "works")), "then "+p.standing(name)+" and "+p.enabled(name),
			part("sign-in", p.signIn(client, name, secret)), part("forgotten password", cmp.Or(said(forgotten), "a code is sent")))))
	}
	return each(parts...)
}

// enabled says whether a user is.
func (p *pool) enabled(name string) string {
	out, err := p.g.target.AdminGetUser(p.t.Context(), &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &name})
	switch {
	case err != nil:
		return said(err)
	case out.Enabled:
		return "enabled"
	}
	return "disabled"
}

func listedFactor(t *testing.T, g *ground) string {
	p := g.texting(t)
	name := p.user(password())
	_, err := g.target.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &p.id, Username: &name, UserAttributes: []types.AttributeType{
		{Name: aws.String("phone_number"), Value: aws.String("+12025550100")}, {Name: aws.String("phone_number_verified"), Value: aws.String("true")},
	}})
	g.must(t, err)
	preferred := p.prefersSMS(name)
	var options []string
	g.must(t, g.until(t.Context(), func() error {
		out, err := g.target.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: &p.id})
		if err != nil || len(out.Users) != 1 {
			return errors.Join(err, errors.New("the user is not listed"))
		}
		options = nil
		for _, o := range out.Users[0].MFAOptions {
			options = append(options, fmt.Sprintf("%s to %s", o.DeliveryMedium, aws.ToString(o.AttributeName)))
		}
		return nil
	}))
	return each(part("AdminSetUserMFAPreference", preferred), fmt.Sprintf("MFAOptions of ListUsers: %v", options))
}
