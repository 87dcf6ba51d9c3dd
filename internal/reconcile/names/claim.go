package names

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
	"unicode/utf8"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Side is the pool that a user is of.
type Side byte

// The sides. Their numbers are written into claims.
const (
	Staged  Side = 1 // of the source pool, as the manifest has it
	Arrived Side = 2 // of the target pool
)

// Claim is one user's part in a contested name.
type Claim struct {
	Name     Name
	Side     Side
	Sub      userpool.Sub // the user's own, in the pool of the side
	Username string       // the user's own, for the rows of who is joined
	// First claims are those of the first of a user's contested names: each user has
	// one, for what is said about them once.
	First bool
	// Linked users have found their partner by legacy sub; for an arrived user
	// LegacySub is that of the partner, staged or not.
	Linked    bool
	LegacySub userpool.Sub
	// Unproven is an arrived user who was never confirmed: a name that they typed
	// is nobody's proof of anything.
	Unproven bool
	// Fallback and Reason are the verdict on an unlinked staged user if nobody
	// joins them: pending or excluded.
	Fallback verdict.Verdict
	Reason   verdict.Reason
	Created  time.Time
	// Email and Phone contradict a join by username.
	Email, Phone Contact
	// Disabled users cannot sign in. Groups and MFA are an unlinked staged user's,
	// and New says that they count as arrived since the last whole reconciliation
	// whenever it was that a partner was created: for the rows of who is joined.
	Disabled, New bool
	Groups, MFA   []string
}

// Contact is a user's address or number as far as two users' have to be
// compared: its hash, 0 where there is none.
type Contact struct {
	Hash     uint64
	Verified bool
}

// StagedClaims returns a staged user's parts in contested names. d is the
// decision on the user; with a partner the user is linked.
func StagedClaims(u userpool.User, pool userpool.Pool, contested Contested, d verdict.Decision) []Claim {
	c := Claim{Side: Staged, Linked: d.Partner != nil}
	if !c.Linked {
		c.Fallback, c.Reason, c.Groups, c.MFA = d.Verdict, d.Reason, u.Groups, u.MFA
	}
	return c.of(u, pool, contested)
}

// ArrivedClaims returns a target user's parts in contested names. Whoever has a
// legacy sub is linked.
func ArrivedClaims(u userpool.User, pool userpool.Pool, contested Contested) []Claim {
	legacy := userpool.Sub(u.Attributes[userpool.AttrLegacySub])
	return Claim{
		Side: Arrived, Linked: legacy != "", LegacySub: legacy, Unproven: u.Status == userpool.StatusUnconfirmed,
	}.of(u, pool, contested)
}

// of completes the claim for each of a user's contested names.
func (c Claim) of(u userpool.User, pool userpool.Pool, contested Contested) (all []Claim) {
	c.Sub, c.Username, c.Created, c.Disabled = u.Sub, u.Username, u.Created.UTC(), !u.Enabled
	names := Of(u, pool)
	for _, n := range names {
		switch n.Kind {
		case Email:
			c.Email = Contact{n.Hash(), n.Verified}
		case Phone:
			c.Phone = Contact{n.Hash(), n.Verified}
		}
	}
	for _, n := range names {
		if contested.Has(n.Hash()) {
			c.Name, c.First = n, len(all) == 0
			all = append(all, c)
		}
	}
	return all
}

// contradicts reports that two users of one username are not to be taken for one
// person: their addresses or numbers differ, or the target has not verified one
// that the source has.
func contradicts(staged, arrived Claim) bool {
	against := func(s, t Contact) bool {
		return s.Hash != 0 && t.Hash != 0 && (s.Hash != t.Hash || s.Verified && !t.Verified)
	}
	return against(staged.Email, arrived.Email) || against(staged.Phone, arrived.Phone)
}

// Flags of an encoded claim.
const (
	flagVerified = 1 << iota
	flagOpens
	flagLinked
	flagUnproven
	flagEmailVerified
	flagPhoneVerified
	flagCreated
	flagFirst
	flagDisabled
	flagNew
	flagsEnd
)

// verdictCodes and reasonCodes are written into claims by their place, counted
// from 1; 0 is none. What is written is read by the same reconciliation.
var (
	verdictCodes = verdict.Verdicts()
	reasonCodes  = verdict.Reasons()
)

func codeOf[T comparable](codes []T, of T) byte {
	return byte(slices.Index(codes, of) + 1) //nolint:gosec // the lists are short
}

func ofCode[T comparable](codes []T, code byte) (of T, ok bool) {
	if code == 0 {
		return of, true
	}
	if int(code) > len(codes) {
		return of, false
	}
	return codes[code-1], true
}

// Append appends the claim to data: its length and then its members.
func (c Claim) Append(data []byte) []byte {
	return appendFramed(data, c.body(nil))
}

func appendFramed(data, frame []byte) []byte {
	return append(binary.AppendUvarint(data, uint64(len(frame))), frame...)
}

func (c Claim) body(body []byte) []byte {
	var flags uint64
	for i, set := range []bool{
		c.Name.Verified, c.Name.Opens, c.Linked, c.Unproven, c.Email.Verified, c.Phone.Verified, !c.Created.IsZero(),
		c.First, c.Disabled, c.New,
	} {
		if set {
			flags |= 1 << i
		}
	}
	body = append(body, byte(c.Side), byte(c.Name.Kind), codeOf(verdictCodes, c.Fallback), codeOf(reasonCodes, c.Reason))
	body = binary.AppendUvarint(body, flags)
	if !c.Created.IsZero() {
		body = binary.AppendVarint(body, c.Created.Unix())
		body = binary.AppendUvarint(body, uint64(c.Created.Nanosecond())) //nolint:gosec // not negative
	}
	body = binary.AppendUvarint(body, c.Email.Hash)
	body = binary.AppendUvarint(body, c.Phone.Hash)
	for _, text := range []string{c.Name.Value, c.Name.Exact, string(c.Sub), string(c.LegacySub), c.Username} {
		body = binary.AppendUvarint(body, uint64(len(text)))
		body = append(body, text...)
	}
	for _, list := range [][]string{c.Groups, c.MFA} {
		body = binary.AppendUvarint(body, uint64(len(list)))
		for _, text := range list {
			body = append(binary.AppendUvarint(body, uint64(len(text))), text...)
		}
	}
	return body
}

// ReadClaims yields the claims of data, in order. An error of kind fault.Invalid
// ends it; it quotes no name.
func ReadClaims(data []byte) iter.Seq2[Claim, error] {
	return func(yield func(Claim, error) bool) {
		var again []byte
		for n := 0; len(data) > 0; n++ {
			size, used := binary.Uvarint(data)
			if used <= 0 || size > uint64(len(data)-used) {
				yield(Claim{}, fault.New(fault.Invalid, "claim %d is torn", n))
				return
			}
			body := data[used : used+int(size)] //nolint:gosec // at most len(data)
			c, err := readClaim(body)
			if err == nil {
				// Whatever else a number could be spelled as is not what was written.
				if again = appendFramed(again[:0], c.body(nil)); !bytes.Equal(again, data[:used+len(body)]) {
					err = errors.New("is not as poolferry writes it")
				}
			}
			if err != nil {
				yield(Claim{}, fault.New(fault.Invalid, "claim %d %w", n, err))
				return
			}
			data = data[used+len(body):]
			if !yield(c, nil) {
				return
			}
		}
	}
}

func readClaim(body []byte) (c Claim, err error) {
	in := reader{rest: body}
	c.Side, c.Name.Kind = Side(in.octet()), Kind(in.octet())
	var knownVerdict, knownReason bool
	c.Fallback, knownVerdict = ofCode(verdictCodes, in.octet())
	c.Reason, knownReason = ofCode(reasonCodes, in.octet())
	flags := in.uvarint()
	c.Name.Verified, c.Name.Opens = flags&flagVerified != 0, flags&flagOpens != 0
	c.Linked, c.Unproven = flags&flagLinked != 0, flags&flagUnproven != 0
	c.Email.Verified, c.Phone.Verified = flags&flagEmailVerified != 0, flags&flagPhoneVerified != 0
	c.First, c.Disabled, c.New = flags&flagFirst != 0, flags&flagDisabled != 0, flags&flagNew != 0
	if flags&flagCreated != 0 {
		c.Created = time.Unix(in.varint(), int64(min(in.uvarint(), 999_999_999))).UTC() //nolint:gosec // bounded
	}
	c.Email.Hash, c.Phone.Hash = in.uvarint(), in.uvarint()
	c.Name.Value, c.Name.Exact = in.text(), in.text()
	c.Sub, c.LegacySub, c.Username = userpool.Sub(in.text()), userpool.Sub(in.text()), in.text()
	c.Groups, c.MFA = in.texts(), in.texts()
	switch {
	case in.torn || len(in.rest) > 0:
		return Claim{}, errors.New("is torn")
	case flags >= flagsEnd, !knownVerdict, !knownReason:
		return Claim{}, errors.New("has a code that this poolferry does not know")
	}
	return c, c.check()
}

// check holds for claims that are added to a Resolver and for those that are
// read. Its errors hold no name.
func (c Claim) check() error {
	for _, text := range slices.Concat([]string{c.Name.Value, c.Name.Exact, string(c.Sub), string(c.LegacySub), c.Username}, c.Groups, c.MFA) {
		if !utf8.ValidString(text) {
			return errors.New("is not valid UTF-8")
		}
	}
	const most = 1<<48 - 1
	falls := c.Fallback == verdict.Pending || c.Fallback == verdict.Excluded
	switch {
	case c.Name.Kind < Email || c.Name.Kind > PreferredUsername:
		return fmt.Errorf("has a name of kind %d", c.Name.Kind)
	case c.Name.Value == "" || c.Name.Exact == "" || c.Sub == "":
		return errors.New("lacks its name or sub")
	case c.Email.Hash > most || c.Phone.Hash > most:
		return errors.New("has a hash of more than 48 bits")
	case c.Side == Staged && (c.LegacySub != "" || c.Unproven):
		return errors.New("is of a staged user and speaks of an arrived one")
	case c.Side == Staged && !c.Linked && (!falls || !slices.Contains(verdict.PendingReasons(), c.Reason)):
		return errors.New("is of an unlinked staged user and lacks the verdict to fall back on")
	case c.Side == Arrived && c.Linked != (c.LegacySub != ""):
		return errors.New("is of an arrived user and contradicts itself about the legacy sub")
	case (c.Side == Arrived || c.Linked) && (c.Fallback != "" || c.Reason != ""):
		return errors.New("has a verdict to fall back on that is not its own")
	case (c.Side == Arrived || c.Linked) && (c.New || len(c.Groups) > 0 || len(c.MFA) > 0):
		return errors.New("has something to settle that is not its own")
	case c.Side != Staged && c.Side != Arrived:
		return fmt.Errorf("is of side %d", c.Side)
	}
	return nil
}

// reader takes a claim apart. Once torn it returns zeros.
type reader struct {
	rest []byte
	torn bool
}

func (r *reader) take(n uint64) []byte {
	if r.torn || n > uint64(len(r.rest)) {
		r.torn, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) octet() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	n, used := binary.Uvarint(r.rest)
	if used <= 0 {
		r.torn, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[used:]
	return n
}

func (r *reader) varint() int64 {
	n, used := binary.Varint(r.rest)
	if used <= 0 {
		r.torn, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[used:]
	return n
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

// texts reads a list; nil stands for an empty one.
func (r *reader) texts() (list []string) {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.torn, r.rest = true, nil
		return nil
	}
	for range n {
		list = append(list, r.text())
	}
	return list
}
