/* SPDX-License-Identifier: MIT */
/*
 * judge.c - are the cases that differ the ones in which this CPU's vendor differs from Intel?
 *
 * Usage      judge: prints words that user.elf wants on this CPU, nothing where the table
 *            (tests/bt/native_vendor.c) allows nothing. judge CPU GUEST: two files of full records
 *            (print.c). A record whose `skip` is 0 is one instruction from the state "in"; another
 *            one is the last instruction of several, and the record before it tells the state that
 *            it begins in, the same in both files. Prints "LINE what..." for each record with a
 *            difference that no row allows, and how many have only others.
 */
#include "tests/bt/native_judge.h"
#include "tests/user/map.h"

#include "monitor/cpu/fpu_image.h"

#define LINE_MAX   16384u
#define TOKENS_MAX 512u
#define PATH_TAKEN 1u
#define PATH_FAULT 2u

static const char *const gpr_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* "name=word,word,word,word" */
struct token {
    char name[16];
    uint32_t word[4];
    unsigned words;
    uint32_t at; /* linear address of the first, or 0 */
};

struct record {
    char title[64]; /* up to the bytes */
    uint8_t code[160];
    unsigned code_len, in_count, count;
    struct token in[TOKENS_MAX], out[TOKENS_MAX];
};

/* ---- reading ---- */

static const struct token *find(const struct token *t, unsigned count, const char *name)
{
    for (unsigned k = 0; k < count; k++)
        if (!strcmp(t[k].name, name))
            return &t[k];
    return NULL;
}

static uint32_t word_of(const struct token *t, unsigned count, const char *name)
{
    const struct token *found = find(t, count, name);

    return found ? found->word[0] : 0;
}

/* The windows of memory, by what begins their tokens' names. */
static const struct {
    const char *name;
    uint32_t at;
} windows[] = {
    {"win", WIN}, {"edge", DATA_END - EDGE_LEN}, {"data", DATA}, {"stk", STK - STK_BELOW}};

/* Names have two digits only: the n-th of a window is at 16 * n. */
static void place(struct token *t, unsigned seen[ARRAY_LEN(windows)])
{
    for (unsigned k = 0; k < ARRAY_LEN(windows); k++)
        if (!strncmp(t->name, windows[k].name, strlen(windows[k].name)))
            t->at = windows[k].at + 16 * seen[k]++;
}

static bool token_read(struct token *t, const char *text)
{
    const char *eq = strchr(text, '=');

    *t = (struct token){.words = 0};
    if (!eq || (size_t)(eq - text) >= sizeof t->name)
        return false;
    memcpy(t->name, text, (size_t)(eq - text));
    do {
        char *end;
        t->word[t->words++] = (uint32_t)strtoul(eq + 1, &end, 16);
        eq = end;
    } while (*eq == ',' && t->words < 4);
    return *eq == 0;
}

static bool code_read(struct record *r, const char *hex)
{
    unsigned byte;

    for (r->code_len = 0; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        if (r->code_len == sizeof r->code)
            return false;
        r->code[r->code_len++] = (uint8_t)byte;
    }
    return r->code_len;
}

/* "NAME case N bytes HEX in a=... OUT a=..." */
static bool record_read(struct record *r, char *line)
{
    unsigned seen[ARRAY_LEN(windows)] = {0};
    bool is_out = false;
    char *save = NULL, *bytes = strstr(line, " bytes ");

    r->in_count = r->count = 0;
    if (!bytes || (size_t)(bytes - line) >= sizeof r->title)
        return false;
    *bytes = 0;
    strcpy(r->title, line);
    char *word = strtok_r(bytes + 7, " \n", &save);
    if (!word || !code_read(r, word))
        return false;
    while ((word = strtok_r(NULL, " \n", &save))) {
        struct token *t = is_out ? &r->out[r->count] : &r->in[r->in_count];
        if (!strcmp(word, "OUT")) {
            is_out = true;
        } else if (strcmp(word, "in")) {
            if (r->count == TOKENS_MAX || r->in_count == TOKENS_MAX || !token_read(t, word))
                return false;
            place(t, seen);
            (*(is_out ? &r->count : &r->in_count))++;
        }
    }
    return is_out;
}

/* ---- a unit of it ---- */

uint32_t native_frame_of(const struct native_io *io, uint32_t at)
{
    (void)io;
    return at >= DATA && at < RO_END ? at - DATA : RAM_BYTES;
}

static void state_of(struct native_state *s, const struct token *t, unsigned count)
{
    uint32_t control = word_of(t, count, "fcw_fsw"), mxcsr = word_of(t, count, "mxcsr");
    static const uint16_t sel[] = {SEL_UDATA, SEL_UCODE, SEL_UDATA, SEL_UDATA, SEL_FS, SEL_GS};

    for (unsigned k = 0; k < GPR_COUNT; k++)
        s->gpr[k] = word_of(t, count, gpr_names[k]);
    s->eflags = word_of(t, count, "efl");
    memcpy(s->seg, sel, sizeof sel);
    memcpy(s->fx + FX_FCW, &control, 4);
    memcpy(s->fx + FX_MXCSR, &mxcsr, 4);
}

static void ram_of(uint8_t *ram, const struct record *r)
{
    memset(ram, 0, RAM_BYTES);
    for (unsigned k = 0; k < r->count; k++)
        if (r->out[k].at)
            memcpy(ram + native_frame_of(NULL, r->out[k].at), r->out[k].word, 4 * r->out[k].words);
}

/* Where it went: *vector, and EIP. */
static uint32_t end_of(const struct record *r, const struct unit *u, uint32_t *vector)
{
    uint32_t path = word_of(r->out, r->count, "path");
    uint32_t next = word_of(r->in, r->in_count, "at") + r->code_len;

    *vector = NATIVE_STOPPED;
    if (!find(r->out, r->count, "path") || path == PATH_FAULT) {
        uint32_t eip = word_of(r->out, r->count, "eip");
        *vector = word_of(r->out, r->count, "vector");
        if (*vector == VEC_DB && eip == next) /* the single-step trap behind it */
            *vector = NATIVE_STOPPED;
        return eip;
    }
    if (path != PATH_TAKEN)
        return next;
    next += (uint32_t)(int8_t)r->code[r->code_len - 1];
    return u->have_insn && u->i.opsize == 2 ? next & 0xffff : next;
}

/* SSE4A's MOVNTSS and MOVNTSD are no instructions of the guest's CPU: OP_ud, with the operands of
 * MOVSS and MOVSD, whose encoding differs in one byte. */
static bool decode_store(const struct decoder *d, struct decode_mode mode, uint8_t *bytes,
                         struct insn *i)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3};
    unsigned k = 0;

    while (k < INSN_MAX_LEN - 2 && memchr(prefixes, bytes[k], sizeof prefixes))
        k++;
    if (bytes[k] != 0x0f || bytes[k + 1] != 0x2b)
        return false;
    bytes[k + 1] = 0x11;
    if (decoder_decode(d, mode, bytes, INSN_MAX_LEN, i) != DECODE_OK ||
        (i->op != OP_movss && i->op != OP_movsd_x))
        return false;
    i->op = OP_ud;
    i->opcode = 0x2b;
    return true;
}

/* Of the last instruction of both, which began as `before` ended (NULL: as they begin). */
static struct unit unit_of(const struct record *cpu, const struct record *guest,
                           const struct record *before)
{
    static struct snapshot from, to;
    static struct native_io io;
    static struct decoder decoder;
    static uint8_t ram[RAM_BYTES];
    struct unit u = {.before = &from, .after = &to, .io = &io, .ram = ram};
    struct decode_mode mode = {.code32 = true, .stack32 = true};
    uint32_t skip = word_of(cpu->in, cpu->in_count, "skip");
    uint8_t bytes[INSN_MAX_LEN] = {0};

    decoder_init(&decoder, UINT32_MAX);
    if (skip < cpu->code_len && cpu->code_len - skip <= sizeof bytes)
        memcpy(bytes, cpu->code + skip, cpu->code_len - skip);
    u.have_insn = (decoder_decode(&decoder, mode, bytes, sizeof bytes, &u.i) == DECODE_OK ||
                   decode_store(&decoder, mode, bytes, &u.i)) &&
                  skip + u.i.len == cpu->code_len;
    state_of(&from.s, before ? before->out : cpu->in, before ? before->count : cpu->in_count);
    from.s.eip = word_of(cpu->in, cpu->in_count, "at") + skip;
    from.base[SEG_FS] = FS_BASE;
    from.base[SEG_GS] = DATA;
    ram_of(from.ram, before ? before : cpu); /* rows look at operands that are only read */
    state_of(&to.s, guest->out, guest->count);
    to.s.eip = end_of(guest, &u, &u.vector);
    u.error = word_of(guest->out, guest->count, "error");
    u.cr2 = word_of(guest->out, guest->count, "cr2");
    ram_of(ram, cpu);
    state_of(&io.out, cpu->out, cpu->count);
    io.out.eip = end_of(cpu, &u, &io.vector);
    io.error = word_of(cpu->out, cpu->count, "error");
    io.cr2 = word_of(cpu->out, cpu->count, "cr2");
    return u;
}

/* ---- judging ---- */

/* Index of the name, or `count`. */
static unsigned index_of(const char *name, const char *const *names, unsigned count)
{
    unsigned k = 0;

    while (k < count && strcmp(name, names[k]) != 0)
        k++;
    return k;
}

/* The bits of word n of *t that may differ. */
static uint32_t open_bits(const struct token *t, unsigned n, const struct allowance *a)
{
    static const char *const of_fpu[] = {"fcw_fsw", "ftw_fop", "fip", "fdp"};
    static const char *const of_end[] = {"vector", "error", "cr2"};
    unsigned gpr = index_of(t->name, gpr_names, GPR_COUNT);
    unsigned seg = index_of(t->name, seg_names, SEG_COUNT);
    uint32_t bits = 0;

    if (gpr < GPR_COUNT)
        return a->gpr & 1u << gpr ? UINT32_MAX : 0;
    if (seg < SEG_COUNT)
        return a->seg & 1u << seg ? UINT32_MAX : 0;
    if (!strcmp(t->name, "efl"))
        return a->eflags;
    if (index_of(t->name, of_end, 3) < 3)
        return a->vector ? UINT32_MAX : 0;
    if (!strcmp(t->name, "path") || !strcmp(t->name, "eip"))
        return a->eip ? UINT32_MAX : 0;
    if (index_of(t->name, of_fpu, 4) < 4 || (!t->at && !strncmp(t->name, "st", 2)))
        return a->fpu ? UINT32_MAX : 0;
    if (!strcmp(t->name, "mxcsr") || !strncmp(t->name, "xmm", 3))
        return a->xmm ? UINT32_MAX : 0;
    for (unsigned b = 0; t->at && b < 4; b++)
        if (t->at + 4 * n + b - a->ram[VENDOR_RAM].at < a->ram[VENDOR_RAM].bytes)
            bits |= 0xffu << 8 * b;
    return bits;
}

/* Only what ends with a fault has these. */
static bool only_of_faults(const struct token *t)
{
    static const char *const names[] = {"vector", "error", "cr2", "eip"};

    return index_of(t->name, names, 4) < 4;
}

/* Returns the token that differs more than *a allows, or NULL. */
static const struct token *differs(const struct record *cpu, const struct record *guest,
                                   const struct allowance *a)
{
    unsigned c = 0, g = 0;

    while (c < cpu->count || g < guest->count) {
        const struct token *x = c < cpu->count ? &cpu->out[c] : NULL;
        const struct token *y = g < guest->count ? &guest->out[g] : NULL;
        if (!x || !y || strcmp(x->name, y->name) != 0) {
            const struct token *more = x && only_of_faults(x) ? x : y;
            if (!more || !only_of_faults(more) || !a->vector || !a->eip)
                return x ? x : y;
            *(more == x ? &c : &g) += 1;
            continue;
        }
        for (unsigned n = 0; n < 4; n++)
            if ((x->word[n] ^ y->word[n]) & ~open_bits(x, n, a))
                return x;
        c++;
        g++;
    }
    return NULL;
}

static const struct token *judge(const struct record *cpu, const struct record *guest,
                                 const struct record *before)
{
    static const struct allowance none;
    struct unit u = unit_of(cpu, guest, before);
    struct allowance a;

    if (strcmp(cpu->title, guest->title) != 0 || cpu->code_len != guest->code_len ||
        memcmp(cpu->code, guest->code, cpu->code_len) != 0)
        return &cpu->out[0];
    return differs(cpu, guest, vendor_differs(&u, &a) ? &a : &none);
}

static FILE *open_or_exit(const char *path)
{
    FILE *f = fopen(path, "r");

    if (!f) {
        perror(path);
        exit(2);
    }
    return f;
}

/* What differs in this pair of lines more than a row allows, or NULL. `last` is the pair before. */
static const char *judge_lines(char line[2][LINE_MAX], char last[2][LINE_MAX])
{
    static struct record cpu, guest, before;
    bool alone = strstr(line[0], " skip=00000000 ");

    if (!record_read(&cpu, line[0]) || !record_read(&guest, line[1]))
        return "(no record)";
    if (!alone && (strcmp(last[0], last[1]) != 0 || !record_read(&before, last[0]) ||
                   strcmp(before.title, cpu.title) != 0))
        return "(begins otherwise)";
    const struct token *t = judge(&cpu, &guest, alone ? NULL : &before);
    return t ? t->name : NULL;
}

int main(int argc, char **argv)
{
    static char line[2][LINE_MAX], last[2][LINE_MAX], now[2][LINE_MAX];
    unsigned number = 0, excused = 0;

    if (argc < 3) {
        printf("%s", vendor_judges() ? "mm\n" : "");
        return 0;
    }
    FILE *cpu = open_or_exit(argv[1]), *guest = open_or_exit(argv[2]);
    for (; fgets(line[0], LINE_MAX, cpu) && fgets(line[1], LINE_MAX, guest); number++) {
        memcpy(now, line, sizeof now);
        if (strcmp(line[0], line[1]) != 0) {
            const char *what = judge_lines(line, last);
            if (what)
                printf("%u %s\n", number, what);
            else
                excused++;
        }
        memcpy(last, now, sizeof last);
    }
    printf("%u excused\n", excused);
    fclose(cpu);
    fclose(guest);
    return 0;
}
