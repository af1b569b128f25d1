/*
 * Small functions where a reader of C goes wrong easily. Each part begins with a line of three dashes;
 * its last function is the one that is run.
 */
/* --- */
static s64 cast_or_minus(u8 a, s16 b) { return (u8)-a + (s8)+b + (u16)~b - (u32)(b) * (int)(a); }
/* --- */
typedef unsigned short half;
static u64 own_type(u64 a, int b) { half h = a; half *p = &h; *p += b; return (half)(a) * (half)-b + h; }
/* --- */
static u64 sizes(u8 a, u64 b)
{
	u16 list[3] = { a, 1, 2 };
	return sizeof(u8) * 2 + sizeof(list) / sizeof(list[0]) + sizeof(b) - 1 + sizeof(int) * a + sizeof(a + b);
}
/* --- */
static int size_is_unsigned(int a) { return a < sizeof(int); }
/* --- */
static s64 maximal_munch(int a, int b) { int x = a+++b; int y = a---b; return x * 5l + y - -a - - -b; }
/* --- */
static int dangling(int a, int b)
{
	int r = 1;
	if (a > 0)
		if (b > 0) r = 2;
		else r = 3;
	if (a & 1) ; else r += 10;
	return r;
}
/* --- */
static int comments(int a/* one */, int b) { return a /*/ two */ +/**/b // three \
	- 1000;
	- 3; }
/* --- */
static int empty_end(int a)
{
	if (a > 3)
		goto out;
	a += 7;
out:	;
	{ ; }
	return(a);
}
/* --- */
static s64 escapes(u8 a) { return a + 'A' + '\n' * 2 + '\\' + '\'' + '"' + '\x41' + '\101' + '\0' + '\t' + ' '; }
/* --- */
static u64 constants(u64 a) { return a + 0b101 + 0x1FuL + 017 + 1lu + 0XffLL + 0 + 00; }
/* --- */
static s64 do_continue(u8 a)
{
	int n = a & 15, r = 0;
	do {
		if (n & 1)
			continue;
		r += n;
	} while (n-- > 0 && r < 40);
	return r * 100 + n;
}
/* --- */
static int for_parts(int a, int b)
{
	int i = 0, j, r = 0;
	for (;;) {
		if (i++ > 4)
			break;
		r += i;
	}
	for (i = 0, j = a & 7; i < j; i++, j--)
		r = r * 3 + j;
	for (int i = 0, n = b & 3; i < n; i++)
		r ^= i << 4;
	for (; i < 20; )
		i += 3;
	return r + i * 1000;
}
/* --- */
static int goes_to(u8 n) { int r = 0; n &= 7; while (n --> 0) r = r * 2 + n; return r + n; }
/* --- */
static int switch_u8(int a, int b)
{
	int r = 0;
	switch ((u8)a) {
	case 0: r = 1;
	case 255: r += 2; break;
	case 127 + 1: return 7;
	case 'a': { int t = b & 3; r = t; } break;
	default: r = -1;
	}
	return r;
}
/* --- */
static int switch_u32(u32 a) { switch (a) { case -1: return 1; case 0x80000000: return 2; case 5: return 3; } return 0; }
/* --- */
static int switch_u64(u64 a) { switch (a) { case -1: return 1; case 0x8000000000000000: return 2; case 1ull << 32: return 3; } return 0; }
/* --- */
static int switch_int(s64 a)
{
	switch ((int)a) { case 0xffffffff: return 1; case -2147483647 - 1: return 2; case 'b' - 'a': return 3; default: return 4; }
}
/* --- */
static int switch_bool(u64 a, bool b)
{
	int r = 0;
	switch (b) { case true: r = 5; break; case false: r = 6; }
	switch (!a) { case 1: r++; }
	switch (a & 1 ? 3 : 4) { default: break; case 3: r *= 2; }
	return r;
}
/* --- */
static int switch_middle(int a)
{
	int r = 0;
	switch (a & 7) {
	case 1: r++;
	default: r += 10;
	case 3: r += 100; break;
	case 4: ;
	case 5: { r = 7; if (a > 100) break; r = 8; }
	}
	return r;
}
/* --- */
static int switch_in_loop(u16 a)
{
	int r = 0;
	for (int i = 0; i < 6; i++) {
		switch ((a >> i * 2) & 3) {
		case 0: continue;
		case 1: break;
		case 2: r += 5; switch (r & 1) { case 0: r++; break; case 1: continue; }
		case 3: if (r > 12) goto out; r += 2;
		}
		r = r * 2 + i;
	}
out:
	return r;
}
/* --- */
enum level { LOW, MIDDLE = 5, HIGH, FAR = HIGH << 4 };
static int enums(u8 a) { enum level l = a & 1 ? HIGH : LOW; enum { INNER = 3 }; return l + MIDDLE * INNER - FAR; }
/* --- */
static u64 elvis(u32 a, int b) { int n = b; u64 r = n++ ?: a; return r * 16 + n + (b > 0 ?: a); }
/* --- */
static s64 arm_types(int a, u32 b, u8 c) { return (c ? a : b) + (s64)(c & 1 ? -1 : 1u) + (c ? (s8)a : (u8)a); }
/* --- */
static s64 assigned_value(int a, u64 b) { u8 x; s8 y; int r = (x = a) > 100; r += (y = x) < 0; return r * 4 + (x += b) + (y -= 1); }
/* --- */
static u64 chain(u64 a) { u8 x; int y; u64 z; z = y = x = a; return z + y * 2 + x; }
/* --- */
static int in_range(int in, int is, int not) { int lambda = in < is, pass = lambda ? not : is; return pass + lambda; }
/* --- */
static int keywords(int None, int True, int def) { int del = None ^ def; { int from = del; del -= True; from++; del += from; } return del; }
/* --- */
static int builtins(int max, int min, int abs) { int range = max < min, bool_ = abs, len = range ? max : bool_; return len - range; }
/* --- */
static u64 primitives(u64 READ_ONCE, u64 xchg, int choose) { u64 local_read = READ_ONCE + xchg, BIT = 3; return local_read << BIT | choose; }
/* --- */
static u64 wrap_name(u64 u64_, int c_wrap, int s32_) { int signed_ = c_wrap + s32_; return u64_ + signed_; }
/* --- */
static int print(int a) { return a + 1; }
static int len(int a, int b) { return print(a) * b; }
static int names_of_functions(int a, int b) { int max = len(a, b); return print(max); }
/* --- */
static int inner(int a, int b) { int t = a * 2; a = t + b; return a - t; }
static int hygiene(int b, int a) { int t = 5; int r = inner(b + t, a); return r + t + inner(a, b) * t; }
/* --- */
static void both_ways(int *p, int *q) { *p = 1; *q += *p; *p -= 3; }
static int aliased(int a, int b) { both_ways(&a, &a); both_ways(&a, &b); return a * 1000 + b; }
/* --- */
static int value_and_place(int a, int *p) { *p += 1; return a; }
static int same_variable(int a) { int r = value_and_place(a, &a); r = r * 2 + a; a = value_and_place(a, &a); return r * 3 + a; }
/* --- */
static void exchange(u64 *a, u64 *b) { u64 t = *a; *a = *b; *b = t; }
static u64 swapped(u64 a, u64 b) { exchange(&a, &b); if (a > b) exchange(&b, &a); return a * 3 + b; }
/* --- */
static bool taken(u64 *set, int n) { if (*set >> n & 1) { *set &= ~(1ull << n); return true; } return false; }
static u64 take_bits(u64 a, u8 b) { int r = 0; if (taken(&a, b & 63) && taken(&a, 3) || taken(&a, 5)) r = 1; return a * 2 + r; }
/* --- */
static int early(int a, int *o) { if (a < 0) return -1; *o = a; if (a > 100) { *o = 7; return 1; } *o += 2; return 0; }
static int early_out(int a, int b) { int o = 50; int r = early(a, &o) + early(b, &o) * 2; int s = o; while (early(s - 60, &o) > 0) s = 1; return r * 1000 + o + s; }
/* --- */
static int looped(int a, int *o) { for (int i = 0; i < 5; i++) { if (a >> i & 1) { *o += i; if (i == 3) return i; continue; } *o ^= 1; } return 9; }
static int loop_inlined(int a, int b) { int o = 0, r = 0; for (int i = 0; i < 3; i++) r = r * 2 + looped(a + i, &o); return r + looped(b, &o) * 100 + o; }
/* --- */
static int pointers(int a, int b) { int *p = &a, *const q = &b; *p += *q; (*q)++; --*p; return *p * 7 + b; }
/* --- */
static u32 elements(u32 a, u32 b) { u32 v[4] = { a, b }, *p = v; p[2] = p[0] ^ 5; *(p + 3) = *p + p[1]; v[1] += *(v + 2); return v[0] + v[1] * 3 + v[2] * 5 + v[3] * 7; }
/* --- */
static u32 of_element(u32 a) { u32 v[2] = { a, 3 }; u32 *p = &v[1]; *p += 4; p[-1] ^= 1; return v[0] * 2 + v[1]; }
/* --- */
static u32 by_loop(u32 a, u32 b) { u32 v[4]; int i; for (i = 0; i < 4; i++) v[i] = a >> i * 3; for (i = 3; i >= 0; i--) b = b * 3 + v[i]; return b; }
/* --- */
static u32 by_variable(u32 a, u8 b) { u32 v[4] = { 1, a, 3, a * 2 }; v[b & 3] += 5; return v[b >> 1 & 3] + v[1]; }
/* --- */
static u32 past_unrolled(u32 a) { u32 v[3] = { 0 }; int i; for (i = 0; i < 3; i++) { if (a >> i & 1) continue; v[i] = a + i; if (v[i] & 4) break; } return v[0] ^ v[1] ^ v[2] + i * 100; }
/* --- */
static const u8 table[4] = { 3, 1, 255, 7 };
static int from_table(u8 a, u8 b) { return table[a & 3] * 2 + table[1] - table[(a ^ b) & 3]; }
/* --- */
#define SQUARE(x) x * x
#define MAXIMUM(a, b) ((a) > (b) ? (a) : (b))
static int by_text(int a, int b) { int n = a; int r = SQUARE(a + b); r += MAXIMUM(n++, b); return r * 3 + n; }
/* --- */
#define ONCE(x) ({ int _t = (x); _t > 10 ? _t : -_t; })
static int statement_expression(int a, int b) { int _u = b; int r = ONCE(a++) + ONCE(_u); return r * 2 + a; }
/* --- */
static int blue_paint(int a)
{
	int second = 5, FIRST = 9;
#define FIRST second
#define second (a + FIRST)
	return second * 3 + FIRST;
#undef second
#undef FIRST
}
/* --- */
#define EMPTY
#define a_plus(x) a + x
static int odd_macros(int a EMPTY, int b) { int r = a_plus(b) EMPTY * 2; r EMPTY += a_plus ( ( b , 1 ) ); return r; }
/* --- */
#define JOIN(x, y) x##y
static int joined(int a1, int a2) { return JOIN(a, 1) * 3 - JOIN(a, 2); }
/* --- */
#define SHADOWED 7
static int shadowed(int a)
{
	int r = SHADOWED;
#undef SHADOWED
	int SHADOWED = a;
	{ int a = r; SHADOWED += a; r++; }
	return SHADOWED * 10 + r + a;
}
/* --- */
#if 0
 it's not C { at all
#endif
static int after_garbage(int a)
{
#if 0
	} nor "is this
#else
	a += 1;
#endif
	return a;
}
/* --- */
#define HAVE
static int split_by_if(int a, int b)
{
	if (a > b)
#ifdef HAVE
		a -= b;
#else
		a = 0;
#endif
	return a
#ifdef HAVE
		+ 1
#endif
		;
}
/* --- */
static int else_split(int a)
{
#if 1
	if (a > 3) {
		a = 1;
	} else
#endif
	{
		a += 5;
	}
	return a;
}
/* --- */
#ifdef NOT_SET
static int two_forms(int a) { return a; }
#else
static int two_forms(int a) { return a + 1; }
#endif
/* --- */
static int after_return(int a) { if (a) return 1; else return 2; a = 5; while (a) a--; return a; }
/* --- */
static int into_block(int a) { int r = 0; if (a > 2) goto in; if (a < 100) { r = 1; in: r += 2; } return r; }
/* --- */
static int into_loop(int a) { int i = a & 3, r = 0; goto middle; for (i = 0; i < 5; i++) { r += 10; middle: r += i; } return r; }
/* --- */
static int duff(u8 n) { int r = 0, c = (n & 15) / 4 + 1; switch (n & 3) { case 0: do { r += 1; case 3: r += 10; case 2: r += 100; case 1: r += 1000; } while (--c > 0); } return r; }
/* --- */
static int crossing(u8 a)
{
	int n = 0, r = 0;
one:
	r += a & 3;
	if (n++ > 5) goto done;
	if (a & 4) goto two;
	a += 3;
	goto one;
two:
	a ^= 4; r *= 2;
	if (a & 8) goto one;
	if (r < 50) { a++; goto two; }
done:
	return r * 10 + n;
}
/* --- */
static int cleanup(int a, int b)
{
	int err = 0;
	if (a < 0) { err = -1; goto out; }
	if (b < 0) { err = -2; goto free_a; }
	if (a == b) goto free_b;
	return a;
free_b:
	err -= 10;
free_a:
	err -= 100;
out:
	return err;
}
/* --- */
static int nested_break(u8 a)
{
	int i, j, r = 0;
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 4; j++) {
			if ((i ^ j) == (a & 7)) break;
			if (j > i) continue;
			r += j + 1;
			while (r & 1) { if (r > 20) goto leave; r++; break; }
		}
		r = r * 2 + j;
	}
	return r;
leave:
	return -r - i;
}
/* --- */
static u8 narrow_wrap(u8 a) { u8 i = a, n = 0; while (i++ < 250) n++; return n; }
/* --- */
static int signed_wrap(int a) { int b = a + 1; return b < a; }
/* --- */
static u64 rotates(u32 a, u64 b, u8 n) { u32 r = a << (n & 31) | a >> (-n & 31); return r + (b << (n & 63) | b >> (64 - (n & 63) & 63)); }
/* --- */
static s64 shift_of_signed(s8 a, int b, s64 c) { return (a >> 1) + (b >> 31) + (c >> 63) + (a << 24) + ((u8)a << 24) + (b << 31 >> 31); }
/* --- */
static s64 divided(s8 a, s8 b) { return b ? a / b * 1000 + a % b : -a / 2 + -a % 3 + (u8)a / 2 + a / -3 + a % -3; }
/* --- */
static s64 unsigned_minus(u32 a, u32 b, u16 c) { return (a - b > 0) * 8 + (c - 1 < 0) * 4 + (a - b) + (s64)(a - 1) + (c - b >> 4); }
/* --- */
static int mixed_compare(int a, u32 b, s64 c, u64 d) { return (a < b) | (a < c) << 1 | (b < c) << 2 | (c < d) << 3 | (a < d) << 4 | (-1 > b) << 5; }
/* --- */
static int chained_compare(int a, int b, int c) { return (a < b < c) * 4 + (a == b == c) * 2 + (a > b != c); }
/* --- */
static u64 flags(u64 a) { bool x = a & 0x100, y = a >> 40, z = (u8)a; bool w = !x + !y; x += 5; return x + y * 2 + z * 4 + w * 8; }
/* --- */
static bool to_bool(u64 a) { return a; }
static u8 to_u8(int a) { return a; }
static s64 returned(u64 a) { return to_bool(a << 32) * 1000 + to_u8(a) - to_u8(-1); }
/* --- */
static u64 spelled(long unsigned int a, unsigned long long int b, short int c, int unsigned d) { long int e = d; return a + b + c + d + e; }
/* --- */
static u64 more_spelled(__u32 a, uint64_t b, const s32 c, volatile int d) { register u16 x = a; const u64 y = b; return x + y + c + d; }
/* --- */
static int without_value(int a) { int r; if (a > 0) r = 1; else r = 2; int u; u = r; return u; }
/* --- */
static int again_in_loop(int a) { int r = 0; for (int i = 0; i < 3; i++) { int t = 5; t += i; { int t = a; r += t++; } r += t; } return r; }
/* --- */
static void nothing(int a) { if (a) return; a = 1; }
static int with_void(int a) { nothing(a); return (nothing(a + 1), a); }
/* --- */
static int (in_brackets)(int a) { int (b) = a; int (*p) = &b; return (*p) + (b); }
/* --- */
static int comma_lists(int a, int b) { int x = (a++, b), y = 0; y = a, b++; if (a--, b > 5) y += 100; return (x, y) * 3 + a - b; }
/* --- */
static int logic_values(int a, u8 b) { return (a && b) + (a || b) * 2 + !a * 4 + (!!b) * 8 + (!a == !b) * 16 - (a && (b || !a)); }
/* --- */
static int ternary_chain(int a) { return a < 0 ? -1 : a == 0 ? 0 : a < 10 ? 1 : a < 100 ? 2 : 3; }
/* --- */
static int post_in_condition(u8 a) { int n = a & 7, r = 0; if (n++ && n-- > 2 || --n) r = 1; return r * 100 + n; }
/* --- */
static int while_effects(u8 a) { int i = 0, r = 0; while (++i < 5 && (r += i) < (a & 15)) r++; return r * 10 + i; }
