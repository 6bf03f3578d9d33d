/* SPDX-License-Identifier: MIT */
/* print.c - output, through write(2) of whichever world, and the full record of one case. */
#include "user.h"

static char buffer[4096];
static unsigned used;

void print_flush(void)
{
    if (used)
        syscall3(4, 1, (uint32_t)buffer, used);
    used = 0;
}

static void put(char c)
{
    if (used == sizeof buffer)
        print_flush();
    buffer[used++] = c;
}

void print(const char *s)
{
    while (*s)
        put(*s++);
}

void print_hex(uint32_t v, unsigned digits)
{
    while (digits--)
        put("0123456789abcdef"[v >> 4 * digits & 15]);
}

static void field(const char *name, uint32_t v)
{
    print(" ");
    print(name);
    print("=");
    print_hex(v, 8);
}

static void print_regs(const struct regs *r, const char *prefix)
{
    static const char names[8][4] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

    for (unsigned i = 0; i < 8; i++) {
        print(prefix);
        field(names[i], reg_get(r, i));
    }
    print(prefix);
    field("efl", r->eflags);
}

static void print_words(const char *name, uint32_t from, unsigned len)
{
    for (unsigned i = 0; i < len; i += 16) {
        print(" ");
        print(name);
        print_hex(i, 2);
        print("=");
        for (unsigned j = 0; j < 16 && i + j < len; j += 4) {
            print_hex(get32(from + i + j), 8);
            print(j < 12 ? "," : "");
        }
    }
}

static void print_fx(const uint8_t *fx, const char *st, const char *xmm)
{
    const uint32_t *w = (const uint32_t *)fx;

    field("fcw_fsw", w[0]);
    field("ftw_fop", w[1]);
    field("fip", w[2]);
    field("fdp", w[4]);
    field("mxcsr", w[6]);
    field("mxmask", w[7]);
    print_words(st, (uint32_t)fx + 32, 128);
    print_words(xmm, (uint32_t)fx + 160, 128);
}

/* After state_hash(), which has masked what is not compared. */
void print_case(const char *name, uint32_t number, const struct enc *e, uint32_t flags,
                unsigned skip)
{
    print(name);
    print(" case ");
    print_hex(number, 6);
    print(" bytes ");
    for (unsigned i = 0; i < e->len; i++)
        print_hex(*(uint8_t *)(code_ptr + i), 2);
    print_regs(&in, " in");
    if (use_fx)
        print_fx(in_fx, "in_st", "in_xmm");
    field("target", e->has_mem ? e->target : 0);
    field("at", code_ptr);
    field("skip", skip);
    print(" OUT");
    if ((flags & F_PARTIAL) && out_path == PATH_FAULT) {
        field("vector", fault.vector);
        print("\n");
        return;
    }
    print_regs(&out, "");
    field("path", out_path);
    if (out_path == PATH_FAULT) {
        field("vector", fault.vector);
        field("error", fault.error);
        field("cr2", fault.cr2);
        field("eip", fault.eip);
    }
    field("ds", out_seg[0]);
    field("es", out_seg[1]);
    field("fs", out_seg[2]);
    field("gs", out_seg[3]);
    print_words("win", WIN, flags & F_BIG ? BIG_LEN : WIN_LEN);
    print_words("edge", DATA_END - EDGE_LEN, EDGE_LEN);
    print_words("data", DATA, EDGE_LEN);
    if (flags & F_STACK)
        print_words("stk", STK - STK_BELOW, STK_BELOW + STK_ABOVE);
    if (use_fx)
        print_fx(out_fx, "st", "xmm");
    print("\n");
}
