package crowd

// Names for people. Usernames and e-mail addresses are made of them, so they
// are lower-case ASCII.
var (
	givenNames  = []string{"ada", "alan", "barbara", "dennis", "edsger", "frances", "grace", "hedy", "john", "katherine", "ken", "leslie", "lynn", "margaret", "radia", "tony"}
	familyNames = []string{"allen", "conway", "dijkstra", "hamilton", "hoare", "hopper", "johnson", "kay", "lamarr", "lamport", "liskov", "lovelace", "perlman", "ritchie", "thompson", "turing"}
)

// unicodeNames are what software gets wrong: several scripts, right to left,
// combining marks, a name of one letter, quotes, markup and a line break. A
// username may hold letters, marks, symbols, numbers and punctuation, but no
// space (Cognito API reference, SignUp).
var unicodeNames = []struct{ username, given, family string }{
	{"łukasz.żółć", "Łukasz", "Żółć"},
	{"佐藤.花子", "花子", "佐藤"},
	{"محمد", "محمد", "الأمير"},
	{"שרה.כהן", "שרה", "כהן"},
	{"zoe\u0308.a\u030angstro\u0308m", "Zoe\u0308", "A\u030angstro\u0308m"},
	{"нина", "Нина", "Ёлкина"},
	{"δημήτρης", "Δημήτρης", "Παπαδόπουλος"},
	{"o'brien", "O'Brien", `"The Quote" \ Smith`},
	{"tag&amp;co", "<b>Bobby</b>", "Tables'); DROP TABLE users;--"},
	{"party🎉", "👩‍👩‍👧", "🎉"},
	{"ø", "Ø", "line\nbreak\ttab"},
}
