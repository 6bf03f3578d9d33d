/* SPDX-License-Identifier: MIT */
/*
 * main.c - runs every form, or random sequences, and prints one line with a hash for each.
 *
 * Options    (words of the command line) form=NAME only that one; verbose every case in full;
 *            seed=N; cases=N encodings of each form; random=N sequences instead of the forms,
 *            from=N the first line of them; qemu the Linux process is emulated; plain no #AC, no
 *            operands that fault.
 * Output     "NAME HASH CASES", "random N HASH CASES", and a last line "done".
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
                print_case(f->name, cases, &e, f->flags);
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
static void sequence_run(uint32_t h[2], uint32_t number, bool verbose)
{
    static struct form all = {.name = "random"};
    uint32_t length = 1 + rnd_below(SEQUENCE_MAX);
    struct enc first, e;
    unsigned len;

    code_ptr = CODE + SLOT + rnd_below(0x1000);
    const struct form *f = form_choose();
    encode(f, &first, false);
    all.flags = f->flags | F_FX | F_STACK | F_MANY;
    memcpy((void *)code_ptr, first.bytes, first.len);
    for (len = first.len; --length; len += e.len) {
        f = form_choose();
        encode(f, &e, true);
        memcpy((void *)(code_ptr + len), e.bytes, e.len);
    }
    put_jump(code_ptr + len, exit_next);
    first.len = len;
    for (unsigned s = 0; s < STATES; s++) {
        state_make(&all, &first);
        enter_case();
        state_hash(h, &all, &first);
        if (verbose)
            print_case("random", number * STATES + s, &first, all.flags);
    }
}

static void random_run(uint32_t lines, uint32_t from, uint32_t seed, bool verbose)
{
    static char name[] = "random.00000000";

    for (uint32_t n = from; n < from + lines; n++) {
        uint32_t h[2] = {1, 2};
        for (unsigned i = 0; i < 8; i++)
            name[7 + i] = "0123456789abcdef"[n >> 4 * (7 - i) & 15];
        rnd_state = seed_of(name, seed);
        for (unsigned i = 0; i < PER_LINE; i++)
            sequence_run(h, i, verbose);
        print_line(name, h, PER_LINE * STATES);
    }
}

void user_main(void)
{
    const char *only = option_word("form=");
    uint32_t seed = option_number("seed=", 1), lines = option_number("random=", 0);
    bool verbose = option_word("verbose") != NULL;

    plain = option_word("plain") != NULL;
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
