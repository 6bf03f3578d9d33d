/* SPDX-License-Identifier: MIT */
/*
 * map_guest.c - a guest that changes its physical memory map while it runs code from it. Run by
 * map.py under -exec lockstep; its seed and number of rounds come on the command line.
 *
 * How        The arena's linear pages lead to physical pages of every kind: RAM, what the A20 gate
 *            folds onto it, what the PAM registers make ROM, the local APIC's page, holes. A round
 *            remaps a page, moves something in the physical map, or writes a random piece of code
 *            through one mapping and runs it through another at CPL 0 or 3. The code writes about
 *            in the arena, itself included, and makes such changes too.
 * Survives   Every exception and every timer tick abandons the piece of code and goes on with the
 *            next round; double faults come through a task gate, because ESP may be anywhere.
 * A20        The kernel lies where address bit 20 is 0, so the gate does not concern it.
 * TLB        Every change of a page-table entry is followed by INVLPG or a load of CR3: what a CPU
 *            does without is its own affair, and engines may differ.
 */
#include "map_guest.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ARENA        0x10000000u
#define ARENA_PAGES  48u
#define BIG          0x20000000u /* big pages of 2 MiB and more that begin at physical 0 */
#define BIG_BYTES    0x00200000u
#define TABLES       ((u8 *)0x400000)
#define ARENA_TABLES 0x20000u
#define CODE_MAX     200u

struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, gpr[8], seg[6], ldt, iomap;
};

u64 gdt[8], idt[256];
struct tss tss, tss_df;
u8 kernel_stack[STACK] __attribute__((aligned(16)));
u8 event_stack[STACK] __attribute__((aligned(16)));
u8 last_vector; /* for whoever looks on */
u32 resume_esp; /* map_start.S; not 0: code from the arena runs */
static u32 seed, pae;
u32 last_marks;

/* map_start.S */
void enter(u32 eip, u32 esp, u32 user);
void double_fault(void);
extern u8 stubs[];

static void outb(u16 port, u8 val)
{
    __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}
static u8 inb(u16 port)
{
    u8 val;

    __asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}
static void outl(u16 port, u32 val)
{
    __asm__ volatile("outl %0, %1" : : "a"(val), "Nd"(port));
}

static u32 rnd(u32 below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (u32)((u64)seed * below >> 32);
}

/* ---- the arena ---- */

/* Physical pages that arena pages lead to. */
static const u32
    pool
        [] =
            {
                0x010000,   0x011000, 0x012000,  0x110000,   0x111000,
                0x112000, /* folded onto the first three */
                0x0c0000,   0x0c1000, 0x0c4000,  0x0d8000,   0x0e0000,
                0x0e4000, /* PAM */
                0x0f0000,   0x0f1000, 0x0fc000,  0x1c0000,   0x1f0000,
                0x1fc000,   0x600000, 0x601000,  0x602000,   0x603000,
                0x604000,   0x605000, 0x700000,  0x701000, /* A20 folds them, too */
                0x0a0000,   0x0b8000, 0x2000000, 0xd0000000, 0xfee00000,
                0xfec00000,
};
#define POOL       (sizeof pool / sizeof *pool)
#define POOL_HOLES 6u /* the last ones are no RAM */

static u32 pool_page(void)
{
    return pool[rnd(rnd(6) ? POOL - POOL_HOLES : POOL)];
}

static u8 *entry_of(u32 address)
{
    u32 n = address >> 12 & 1023;

    return TABLES + ARENA_TABLES + n * (pae ? 8 : 4);
}

/* A page of the arena, three times of four one that CPL 3 may write: or most pieces of code would
 * end at their first access. */
static u32 arena_page(void)
{
    u32 page = ARENA + rnd(ARENA_PAGES) * 4096;

    for (u32 tries = rnd(4) ? 8 : 0; tries; tries--) {
        u32 e = *(volatile u32 *)entry_of(page);

        if ((e & 7) == 7 && e < 0x800000 && (e >> 17 != 0xa0000 >> 17))
            break;
        page = ARENA + rnd(ARENA_PAGES) * 4096;
    }
    return page;
}

static u32 arena_address(void)
{
    u32 off = rnd(6) ? rnd(4096) : 4096 - rnd(16);

    if (rnd(5) == 0)
        return BIG + pool[rnd(18)] + (off & 0xfff);
    return arena_page() + off;
}

/* `global`: the old entry was, so that a load of CR3 does not do. */
static void invalidate(u32 address, u32 global)
{
    u32 x;

    if (global || rnd(8))
        __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
    else
        __asm__ volatile("mov %%cr3, %0\n mov %0, %%cr3" : "=r"(x) : : "memory");
    if (rnd(30) == 0) { /* what is global, too */
        __asm__ volatile("mov %%cr4, %0\n xor $0x80, %0\n mov %0, %%cr4\n xor $0x80, %0\n"
                         "mov %0, %%cr4"
                         : "=r"(x)
                         :
                         : "memory");
    }
}

/* The page directories of PAE paging follow each other. */
static u8 *directory_entry(u32 address)
{
    return pae ? TABLES + 0x1000 + (address >> 21) * 8 : TABLES + (address >> 22) * 4;
}

static void entry_write(u8 *at, u32 val)
{
    *(volatile u32 *)at = val;
    if (pae)
        *(volatile u32 *)(at + 4) = 0;
}

static u32 page_flags(void)
{
    return (rnd(8) ? 1 : 0) | (rnd(5) ? 2 : 0) | (rnd(3) ? 4 : 0) | (rnd(3) ? 0 : 0x20) |
           (rnd(6) ? 0 : 0x60) | (rnd(5) ? 0 : 0x100);
}

/* As a kernel that looks for pages in use. What it read is in registers, which are compared. */
static void clear_accessed(void)
{
    u32 all = 0;

    for (u32 n = 0; n < ARENA_PAGES; n++) {
        volatile u32 *at = (volatile u32 *)entry_of(ARENA + n * 4096);

        all = (all << 1 | all >> 31) ^ *at;
        if (rnd(2))
            *at &= ~0x60u;
    }
    last_marks = all;
    __asm__ volatile("mov %%cr4, %%eax\n xor $0x80, %%eax\n mov %%eax, %%cr4\n"
                     "xor $0x80, %%eax\n mov %%eax, %%cr4"
                     :
                     :
                     : "eax", "memory");
}

static void remap(void)
{
    u32 address = ARENA + rnd(ARENA_PAGES) * 4096, old;

    if (rnd(16) == 0) { /* the big page */
        entry_write(directory_entry(BIG), 0x83 | (rnd(3) ? 4 : 0) | (rnd(4) ? 0 : 0x100));
        invalidate(BIG, 1);
        __asm__ volatile("mov %%cr4, %%eax\n xor $0x80, %%eax\n mov %%eax, %%cr4\n"
                         "xor $0x80, %%eax\n mov %%eax, %%cr4"
                         :
                         :
                         : "eax", "memory");
        return;
    }
    old = *(volatile u32 *)entry_of(address);
    entry_write(entry_of(address), pool_page() | page_flags());
    invalidate(address, old & 0x100);
}

/* ---- the physical map ---- */

static void pam(void)
{
    u32 reg = 0x59 + rnd(7);

    outl(0xcf8, 0x80000000u | (reg & 0xfc));
    outb((u16)(0xcfc + (reg & 3)), rnd(3) ? (u8)rnd(256) : 0x33);
}

static void move_apic(void)
{
    u32 base = rnd(3) ? pool[rnd(POOL - POOL_HOLES)] : 0xfee00000u;

    __asm__ volatile("wrmsr" : : "c"(0x1b), "a"(base | 0x900), "d"(0));
}

static void change_map(void)
{
    switch (rnd(4)) {
    case 0:
        outb(0x92, rnd(4) ? 2 : 0); /* while the gate is closed there are no windows */
        break;
    case 1:
        move_apic();
        break;
    default:
        pam();
    }
}

/* ---- pieces of code ---- */

static u8 code[CODE_MAX + 32];
static u32 code_len;

static void put(u8 byte)
{
    code[code_len++] = byte;
}
static void put32(u32 x)
{
    for (u32 n = 0; n < 4; n++)
        put((u8)(x >> 8 * n));
}
static void put_mov(u32 reg, u32 val)
{
    put((u8)(0xb8 + reg));
    put32(val);
}

/* Four bytes that do no harm as instructions. */
static u32 harmless(void)
{
    static const u8 bytes[] = {0x90, 0x40, 0x43, 0x48, 0xf8, 0xf9, 0x98, 0x99, 0xc3, 0xcc};
    u32 x = 0;

    for (u32 n = 0; n < 4; n++)
        x = x << 8 | bytes[rnd(sizeof bytes)];
    return x;
}

/* An opcode with ModRM for [disp32] and register `reg`. */
static void put_memory(u32 reg)
{
    put((u8)(reg << 3 | 5));
    put32(arena_address());
}

static void put_string(void)
{
    static const u8 ops[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xa6, 0xa7};
    u32 count = rnd(4) ? rnd(40) : rnd(4) ? rnd(2000) : rnd(9000);

    put_mov(1, count);
    put_mov(6, arena_address());
    put_mov(7, rnd(4) ? arena_address() : *(u32 *)(code + code_len - 4) + rnd(16));
    if (rnd(8) == 0)
        put(0xfd); /* std */
    if (rnd(8))
        put(rnd(2) ? 0xf3 : 0xf2);
    put(ops[rnd(sizeof ops)]);
    put(0xfc);
}

/* Changes of the physical map in the middle of a block. */
static void put_change(void)
{
    u32 reg = 0x59 + rnd(7), base = rnd(2) ? pool[rnd(POOL - POOL_HOLES)] : 0xfee00000u;

    switch (rnd(5)) {
    case 0:
        put(0xb0);
        put(rnd(4) ? 2 : 0);
        put(0xe6);
        put(0x92);
        break;
    case 1:
        put_mov(1, 0x1b);
        put_mov(2, 0);
        put_mov(0, base | 0x900);
        put(0x0f);
        put(0x30); /* wrmsr */
        break;
    case 2:
        put(0x0f);
        put(0x01);
        put_memory(7); /* invlpg */
        break;
    default:
        put_mov(2, 0xcf8);
        put_mov(0, 0x80000000u | (reg & 0xfc));
        put(0xef);
        put_mov(2, 0xcfc + (reg & 3));
        put_mov(0, rnd(3) ? rnd(256) : 0x33);
        put(0xee);
    }
}

static void put_insn(u32 user)
{
    /* MOV ADD SUB XOR CMP ADC TEST XCHG */
    static const u8 plain[] = {0x88, 0x89, 0x8a, 0x8b, 0x00, 0x01, 0x03,
                               0x29, 0x31, 0x39, 0x11, 0x85, 0x87};
    u32 n;

    switch (rnd(user ? 14 : 16)) {
    case 0:
    case 1:
    case 2:
        put(plain[rnd(sizeof plain)]);
        put_memory(rnd(4));
        break;
    case 3:
        put(0xc7); /* mov dword [m], imm */
        put_memory(0);
        put32(harmless());
        break;
    case 4:
    case 5:
        put_string();
        break;
    case 6:
        put_mov(rnd(4), harmless());
        break;
    case 7: /* lock xadd, cmpxchg, bts, inc, push [m], pop [m] */
        n = rnd(6);
        if (n < 3) {
            put(0xf0);
            put(0x0f);
            put(n == 0 ? 0xc1 : n == 1 ? 0xb1 : 0xab);
            put_memory(rnd(4));
        } else {
            put(n == 5 ? 0x8f : 0xff);
            put_memory(n == 4 ? 6 : 0);
        }
        break;
    case 8:
        put(0x0f); /* movups xmm, m / m, xmm */
        put(rnd(2) ? 0x10 : 0x11);
        put_memory(rnd(8));
        break;
    case 9:
        put(rnd(2) ? 0xdd : 0xdb); /* fld, fst, fstp, fild, fist */
        n = rnd(3);
        put_memory(n ? n + 1 : 0);
        break;
    case 10: /* a short loop */
        put_mov(1, 1 + rnd(30));
        n = code_len;
        put(plain[rnd(4)]);
        put_memory(rnd(4) & 2);
        put(0x49);
        put(0x75);
        put((u8)(n - code_len - 1));
        break;
    case 11:
        put((u8)(0x50 + rnd(4)));
        put((u8)(0x58 + rnd(3)));
        break;
    case 12:
        if (rnd(4) == 0)
            put_mov(4, arena_address()); /* ESP */
        else
            put_mov(0, harmless());
        break;
    case 13: /* perhaps another piece of code: CALL, JMP */
        put_mov(3, arena_address());
        if (!user)
            break;
        put(0xff);
        put(rnd(6) ? 0xd0 | 3 : 0xe0 | 3);
        if (rnd(2))
            code_len -= 2;
        break;
    default:
        put_change();
    }
}

static void make_code(u32 user)
{
    u32 insns = 1 + rnd(12);

    code_len = 0;
    while (insns-- && code_len < CODE_MAX - 60)
        put_insn(user);
    if (!user || rnd(8))
        put(0xcc); /* int3 ends it, like every fault */
    else
        put(0xc3);
}

/* Copies the code to `to`; false when it is not there afterwards. Runs as arena code itself. */
static u32 copied;
static void copy_code(u32 to)
{
    volatile u8 *p = (volatile u8 *)to;
    u32 same = 1;

    for (u32 n = 0; n < code_len; n++)
        p[n] = code[n];
    for (u32 n = 0; n < code_len; n++)
        same &= p[n] == code[n];
    copied = same;
    __asm__ volatile("int3");
}

static u32 copy_to;
static void copy_entry(void)
{
    copy_code(copy_to);
}

static void run_code(void)
{
    u32 user = rnd(2), to = arena_address(), from = to, times = 1 + rnd(40);

    make_code(user);
    copied = 0;
    copy_to = to;
    enter((u32)copy_entry, (u32)event_stack + STACK, 0);
    if (!copied && !user && rnd(64))
        return; /* something else is there: only CPL 3 may run into it */
    if (rnd(8) == 0 && user)
        from = arena_address();
    while (times--) {
        u32 esp = rnd(4) ? arena_page() + 2048 : arena_address();

        if (!user && rnd(4))
            esp = (u32)event_stack + STACK / 2;
        enter(from, esp, user);
        if (!user && rnd(16) == 0)
            change_map();
    }
}

/* ---- setting up ---- */

static u64 segment(u32 access, u32 flags)
{
    return 0x000f00000000ffffull | (u64)flags << 52 | (u64)access << 40;
}
static u64 tss_segment(const struct tss *t)
{
    u64 base = (u32)t;

    return (sizeof *t - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24) << 56;
}
static u64 gate(u32 eip, u32 sel, u32 access)
{
    return (eip & 0xffff) | (u64)sel << 16 | (u64)access << 40 | (u64)(eip >> 16) << 48;
}

static void tables(void)
{
    struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } gdtr = {sizeof gdt - 1, (u32)gdt}, idtr = {sizeof idt - 1, (u32)idt};

    gdt[1] = segment(0x9b, 0xc);
    gdt[2] = segment(0x93, 0xc);
    gdt[3] = segment(0xfb, 0xc);
    gdt[4] = segment(0xf3, 0xc);
    gdt[5] = tss_segment(&tss);
    gdt[6] = tss_segment(&tss_df);
    for (u32 n = 0; n < 256; n++)
        idt[n] = gate((u32)stubs + 16 * n, SEL_CODE, n == 3 ? 0xee : 0x8e);
    idt[8] = gate(0, SEL_DF, 0x85);
    tss.ss0 = tss_df.ss0 = SEL_DATA;
    tss.esp0 = (u32)event_stack + STACK;
    tss.iomap = tss_df.iomap = sizeof tss << 16;
    tss_df.cr3 = (u32)TABLES;
    tss_df.eip = (u32)double_fault;
    tss_df.eflags = 2;
    tss_df.gpr[4] = (u32)event_stack + STACK / 2;
    for (u32 n = 0; n < 6; n++)
        tss_df.seg[n] = n == 1 ? SEL_CODE : SEL_DATA;
    __asm__ volatile("lgdt %0\n lidt %1\n ljmp %2, $1f\n1: mov %3, %%eax\n mov %%eax, %%ds\n"
                     "mov %%eax, %%es\n mov %%eax, %%ss\n mov %%eax, %%fs\n mov %%eax, %%gs\n"
                     "mov %4, %%eax\n ltr %%ax"
                     :
                     : "m"(gdtr), "m"(idtr), "i"(SEL_CODE), "i"(SEL_DATA), "i"(SEL_TSS)
                     : "eax", "memory");
}

/* TABLES: the PDPT or page directory; + 0x1000: page directories of PAE paging; + 0x6000: tables
 * for the kernel, which is in 2 MiB to 32 MiB; + ARENA_TABLES: for the arena. */
static void paging(void)
{
    u32 x, size = pae ? 8 : 4, shift = pae ? 21 : 22;

    for (u32 n = 0; n < 0x24000; n++)
        TABLES[n] = 0;
    for (u32 n = 0; pae && n < 4; n++)
        entry_write(TABLES + n * 8, ((u32)TABLES + 0x1000 + n * 4096) | 1);
    for (u32 n = 0x200; n < 0x2000; n++)
        entry_write(TABLES + 0x6000 + n * size, n << 12 | 3);
    for (u32 n = 0; n < 0x2000000u >> shift; n++)
        entry_write(directory_entry(n << shift), ((u32)TABLES + 0x6000 + n * 4096) | 3);
    entry_write(directory_entry(ARENA), ((u32)TABLES + ARENA_TABLES) | 7);
    entry_write(directory_entry(BIG), 0x87);
    __asm__ volatile("mov %%cr4, %0\n or %1, %0\n mov %0, %%cr4"
                     : "=&r"(x)
                     : "r"(0x690u | (pae ? 0x20u : 0)));
    __asm__ volatile("mov %0, %%cr3" : : "r"(TABLES));
    __asm__ volatile("mov %%cr0, %0\n and $0xfffefff1, %0\n or %1, %0\n mov %0, %%cr0"
                     : "=&r"(x)
                     : "r"(0x80000022u | (rnd(2) ? 0x10000u : 0)));
}

static void timer(void)
{
    static const u8 icw[] = {0x11, 0x20, 4, 1, 0x11, 0x28, 2, 1};

    for (u32 n = 0; n < 8; n++)
        outb((u16)(n < 4 ? 0x20 + (n > 0) : 0xa0 + (n > 4)), icw[n]);
    outb(0x21, 0xfe);
    outb(0xa1, 0xff);
    outb(0x43, 0x34);
    outb(0x40, 1193 & 0xff);
    outb(0x40, 1193 >> 8);
    (void)inb(0x21);
}

/* The number after NAME= on the command line. */
static u32 option(const char *line, char name)
{
    u32 x = 0;

    for (; *line; line++)
        if (line[0] == name && line[1] == '=')
            for (line += 2; *line >= '0' && *line <= '9'; line++)
                x = x * 10 + (u32)(*line - '0');
    return x;
}

void guest_main(const u32 *info)
{
    const char *line = (const char *)info[4];
    u32 rounds = option(line, 'r');

    seed = option(line, 's') * 2654435761u | 1;
    for (u32 n = 0; n < 8; n++)
        rnd(2);
    pae = rnd(2);
    tables();
    paging();
    timer();
    __asm__ volatile("fninit");
    for (u32 n = 0; n < ARENA_PAGES * 2; n++)
        remap();
    for (u32 n = 0; n < rounds || !rounds; n++) {
        if (rnd(2))
            remap();
        if (rnd(4) == 0)
            change_map();
        if (rnd(4) == 0)
            clear_accessed();
        run_code();
        outb(0xe9, '.');
    }
    outb(0xf4, 0);
    for (;;)
        __asm__ volatile("hlt");
}
