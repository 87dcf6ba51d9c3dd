package intrinsic

import (
	"crypto/md5"  //nolint:gosec // States.Hash offers it
	"crypto/sha1" //nolint:gosec // States.Hash offers it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/wire"
)

// maxText is the longest text, in characters, that the functions for Base64 and
// hashes take.
const maxText = 10000

func shortText(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the argument is not a string")
	}
	if utf8.RuneCountInString(s) > maxText {
		return "", fmt.Errorf("the argument is longer than %d characters", maxText)
	}
	return s, nil
}

func base64Encode(args []any) (any, error) {
	s, err := shortText(args[0])
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

func base64Decode(args []any) (any, error) {
	s, err := shortText(args[0])
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("the argument is not Base64")
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), nil
}

func hash(args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		s = string(data.Encode(args[0]))
	}
	if _, err := shortText(s); err != nil {
		return nil, err
	}
	var sum []byte
	switch args[1] {
	case "MD5":
		digest := md5.Sum([]byte(s)) //nolint:gosec // asked for by name
		sum = digest[:]
	case "SHA-1":
		digest := sha1.Sum([]byte(s)) //nolint:gosec // asked for by name
		sum = digest[:]
	case "SHA-256":
		digest := sha256.Sum256([]byte(s))
		sum = digest[:]
	case "SHA-384":
		digest := sha512.Sum384([]byte(s))
		sum = digest[:]
	case "SHA-512":
		digest := sha512.Sum512([]byte(s))
		sum = digest[:]
	default:
		return nil, fmt.Errorf("the algorithm is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")
	}
	return hex.EncodeToString(sum), nil
}

// jsonMerge merges two objects; members of the second win. Only the shallow
// mode exists.
func jsonMerge(args []any) (any, error) {
	first, ok1 := args[0].(map[string]any)
	second, ok2 := args[1].(map[string]any)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the first two arguments are not objects")
	}
	if args[2] != false {
		return nil, fmt.Errorf("the third argument is not false: deep merging is not supported")
	}
	out := make(map[string]any, len(first)+len(second))
	maps.Copy(out, first)
	maps.Copy(out, second)
	return out, nil
}

// mathRandom draws from the first number to the second, which is excluded. With
// a seed it always draws the same.
func mathRandom(args []any) (any, error) {
	first, err := whole(args[0])
	if err != nil {
		return nil, err
	}
	last, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	span := last - first
	if span <= 0 {
		return nil, fmt.Errorf("the end is not greater than the start")
	}
	if len(args) == 2 {
		return data.Number(first + rand.Int64N(span)), nil //nolint:gosec // the function promises no secret
	}
	seed, err := whole(args[2])
	if err != nil {
		return nil, err
	}
	seeded := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // any bits of the seed will do, and none is a secret
	return data.Number(first + seeded.Int64N(span)), nil
}

func mathAdd(args []any) (any, error) {
	a, err := whole(args[0])
	if err != nil {
		return nil, err
	}
	b, err := whole(args[1])
	return data.Number(a + b), err
}

// stringSplit splits at every character of the second argument and leaves out
// what is empty.
func stringSplit(args []any) (any, error) {
	s, ok1 := args[0].(string)
	separators, ok2 := args[1].(string)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("an argument is not a string")
	}
	out := []any{}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		out = append(out, part)
	}
	return out, nil
}

func uuid([]any) (any, error) { return wire.NewID(), nil }
