/* SPDX-License-Identifier: MIT */
/*
 * main.c - runs every form, or random sequences, and prints one line with a hash for each.
 *
 * Options    (words of the command line) form=NAME only that one; verbose every case in full;
 *            seed=N; cases=N encodings of each form; random=N sequences instead of the forms,
 *            from=N the first line of them; qemu the Linux process is emulated; plain no #AC, no
 *            operands that fault; mm this CPU's MXCSR_MASK may have bit 17; steps each case of a
 *            sequence ends behind its first instruction, then again behind the second, and so on;
 *            pick=LINE.CASE.STEP,... (hexadecimal, in the order of execution) only those lines, of
 *            those cases that step, and the one before it, in full.
 * Output     "NAME HASH CASES", "random.LINE HASH CASES", and a last line "done". With steps, also
 *            "random.LINE.CASE HASH...", one for each step.
 */
#include "user.h"

#define STATES       6u /* executions of each encoding */
#define SEQUENCE_MAX 6u
#define PER_LINE     16u    /* sequences in one line of output */
#define SLOT         0x200u /* where in CODE instructions start, at least */

void user_main(void);

void *memset(void *p, int c, size_t n)
{
    uint8_t *to = p;

    while (n--)
        *to++ = (uint8_t)c;
    return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    while (n--)
        *t++ = *f++;
    return to;
}

size_t text_len(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

/* The value of option `name` ("seed="), or NULL. Values end at a blank. */
const char *option_word(const char *name)
{
    size_t n = text_len(name);

    for (const char *s = cmdline; *s; s++) {
        size_t i = 0;
        if (s != cmdline && s[-1] != ' ')
            continue;
        while (i < n && s[i] == name[i])
            i++;
        if (i == n)
            return s + n;
    }
    return NULL;
}

static uint32_t option_number(const char *name, uint32_t otherwise)
{
    const char *s = option_word(name);
    uint32_t n = 0;

    if (!s)
        return otherwise;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + (uint32_t)(*s++ - '0');
    return n;
}

static bool same_word(const char *a, const char *word)
{
    while (*a && *a == *word) {
        a++;
        word++;
    }
    return !*a && (!*word || *word == ' ');
}

static void put_jump(uint32_t at, const char *to)
{
    *(uint8_t *)at = 0xe9;
    put32(at + 1, (uint32_t)to - at - 5);
}

static uint32_t seed_of(const char *name, uint32_t seed)
{
    uint32_t h = 0x811c9dc5u ^ seed * 0x9e3779b1u;

    while (*name)
        h = (h ^ (uint8_t)*name++) * 0x01000193u;
    return h ? h : 1;
}

static void print_line(const char *name, const uint32_t h[2], uint32_t cases)
{
    print(name);
    print(" ");
    print_hex(h[0], 8);
    print_hex(h[1], 8);
    print(" ");
    print_hex(cases, 6);
    print("\n");
    print_flush();
}

static void form_run(const struct form *f, uint32_t encodings, uint32_t seed, bool verbose)
{
    uint32_t h[2] = {1, 2}, cases = 0;
    struct enc e;

    rnd_state = seed_of(f->name, seed);
    for (uint32_t n = 0; n < encodings; n++) {
        code_ptr = CODE + SLOT + 16 * rnd_below(16) + (rnd_below(8) == 0 ? 0x1000 - SLOT - 6 : 0);
        encode(f, &e, false);
        memcpy((void *)code_ptr, e.bytes, e.len);
        put_jump(code_ptr + e.len, exit_next);
        put_jump(code_ptr + 0x40, exit_taken);
        put_jump(code_ptr - 0x40, exit_taken);
        for (unsigned s = 0; s < STATES; s++) {
            state_make(f, &e);
            enter_case();
            state_hash(h, f, &e);
            if (verbose)
                print_case(f->name, cases, &e, f->flags, 0);
            cases++;
        }
    }
    print_line(f->name, h, cases);
}

/* ---- random sequences ---- */

static const struct form *form_choose(void)
{
    const struct form *f;

    do
        f = &forms[rnd_below(form_count)];
    while (f->flags & F_ALONE);
    return f;
}

/* Several instructions in a row; the first one's address may depend on registers. */
struct sequence {
    struct form form;
    struct enc first;
    uint8_t bytes[SEQUENCE_MAX * sizeof(((struct enc *)NULL)->bytes)];
    unsigned count, end[SEQUENCE_MAX + 1]; /* end[k]: bytes of the first k */
};

static void sequence_make(struct sequence *q)
{
    uint32_t length = 1 + rnd_below(SEQUENCE_MAX);
    struct enc e;

    code_ptr = CODE + SLOT + rnd_below(0x1000);
    const struct form *f = form_choose();
    encode(f, &q->first, false);
    q->form = (struct form){.name = "random", .flags = f->flags | F_FX | F_STACK | F_MANY};
    memcpy(q->bytes, q->first.bytes, q->first.len);
    q->end[0] = 0;
    q->end[1] = q->first.len;
    for (q->count = 1; q->count < length; q->count++) {
        f = form_choose();
        encode(f, &e, true);
        memcpy(q->bytes + q->end[q->count], e.bytes, e.len);
        q->end[q->count + 1] = q->end[q->count] + e.len;
    }
}

/* The first `steps` instructions of it, from a new state. */
static void sequence_run(struct sequence *q, unsigned steps, uint32_t h[2])
{
    memcpy((void *)code_ptr, q->bytes, q->end[steps]);
    put_jump(code_ptr + q->end[steps], exit_next);
    q->first.len = q->end[steps];
    state_make(&q->form, &q->first);
    enter_case();
    state_hash(h, &q->form, &q->first);
}

/* ---- step by step ---- */

/* What "pick=" wants next; line NO_LINE: no more. */
#define NO_LINE 0xffffffffu
static struct {
    const char *text; /* NULL: nothing is picked */
    uint32_t line, number, step;
} pick;

static uint32_t pick_number(void)
{
    uint32_t v = 0;

    for (; *pick.text && *pick.text != ' '; pick.text++) {
        char c = *pick.text;
        if (c == '.' || c == ',') {
            pick.text++;
            break;
        }
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

static void pick_next(void)
{
    bool more = *pick.text && *pick.text != ' ';

    pick.line = more ? pick_number() : NO_LINE;
    pick.number = more ? pick_number() : 0;
    pick.step = more ? pick_number() : 0;
}

/* From the same state each time. */
static void steps_run(struct sequence *q, const char *name, uint32_t line, uint32_t number)
{
    uint32_t before = rnd_state;

    if (!pick.text) {
        print(name);
        print(".");
        print_hex(number, 2);
    }
    for (unsigned k = 1; k <= q->count; k++) {
        uint32_t h[2] = {1, 2};
        bool mine = pick.text && pick.line == line && pick.number == number;
        rnd_state = before;
        sequence_run(q, k, h);
        if (mine && (k == pick.step || k + 1 == pick.step))
            print_case(name, number, &q->first, q->form.flags, q->end[k - 1]);
        if (mine && k == pick.step)
            pick_next();
        if (!pick.text) {
            print(" ");
            print_hex(h[0], 8);
            print_hex(h[1], 8);
        }
    }
    if (!pick.text)
        print("\n");
}

/* What one line leaves behind no other one finds, so that each can be run alone. */
static void data_clear(void)
{
    uint32_t at = DATA, dwords = DATA_LEN / 4;

    __asm__ volatile("cld\n\trep stosl" : "+D"(at), "+c"(dwords) : "a"(0) : "memory", "cc");
}

static void line_run(const char *name, uint32_t line, bool steps, bool verbose)
{
    static struct sequence q;
    uint32_t h[2] = {1, 2};

    data_clear();
    for (uint32_t i = 0; i < PER_LINE; i++) {
        sequence_make(&q);
        for (uint32_t s = 0; s < STATES; s++) {
            if (steps) {
                steps_run(&q, name, line, i * STATES + s);
                continue;
            }
            sequence_run(&q, q.count, h);
            if (verbose)
                print_case("random", i * STATES + s, &q.first, q.form.flags, 0);
        }
    }
    if (!steps)
        print_line(name, h, PER_LINE * STATES);
}

static void random_run(uint32_t lines, uint32_t from, uint32_t seed, bool verbose)
{
    static char name[] = "random.00000000";
    bool steps = option_word("steps") != NULL;

    pick.text = option_word("pick=");
    if (pick.text)
        pick_next();
    for (uint32_t n = from; n < from + lines; n++) {
        if (pick.text && n != pick.line)
            continue;
        for (unsigned i = 0; i < 8; i++)
            name[7 + i] = "0123456789abcdef"[n >> 4 * (7 - i) & 15];
        rnd_state = seed_of(name, seed);
        line_run(name, n, steps || pick.text, verbose);
    }
}

void user_main(void)
{
    const char *only = option_word("form=");
    uint32_t seed = option_number("seed=", 1), lines = option_number("random=", 0);
    bool verbose = option_word("verbose") != NULL;

    plain = option_word("plain") != NULL;
    has_mm = option_word("mm") != NULL;
    forms_make();
    forms_fpu_make();
    if (lines)
        random_run(lines, option_number("from=", 0), seed, verbose);
    else
        for (unsigned i = 0; i < form_count; i++)
            if (!only || same_word(forms[i].name, only))
                form_run(&forms[i], option_number("cases=", 48), seed, verbose);
    print("done\n");
    print_flush();
    syscall3(1, 0, 0, 0);
}
