/* SPDX-License-Identifier: MIT */
/* loader.c - Linux and multiboot images made here: what is loaded where, every truncation, hostile
 * header fields. */
/* uses: boot/boot.c boot/linux.c boot/multiboot.c host/linux/boot_files.c host/linux/file.c
 * host/linux/error.c host/linux/guest_ram.c */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/linux/boot_files.h"
#include "host/linux/guest_ram.h"
#include "include/ring1/bytes.h"

#define MIB         (1024u * 1024)
#define RAM_SIZE    (16 * MIB)
#define SETUP_SECTS 3u
#define SETUP_LEN   ((SETUP_SECTS + 1) * 512)
#define CODE_LEN    0x3000u

static struct boot_error e;

/* RAM with inaccessible memory around it: a stray write of a loader is a crash of the test. */
static uint8_t *new_ram(uint64_t size)
{
    uint8_t *p =
        mmap(NULL, size + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    cr_assert(p != MAP_FAILED);
    cr_assert_eq(mprotect(p + MIB, size, PROT_READ | PROT_WRITE), 0);
    return p + MIB;
}

/* As the host does it; the sentence is in `e`. */
static int load(const struct boot *b, uint8_t *ram, uint64_t size, uint32_t rsdp,
                struct boot_entry *out)
{
    return boot_load(b, &(struct boot_ram){ram, size, memory_clear}, rsdp, out, &e);
}

/* A copy of a file that ends exactly at an inaccessible page. */
static struct boot_image guarded(const uint8_t *data, size_t size)
{
    size_t room = (size + 4095) & ~(size_t)4095;
    uint8_t *p =
        mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(p != MAP_FAILED);
    mprotect(p + room, 4096, PROT_NONE);
    memcpy(p + room - size, data, size);
    return (struct boot_image){.bytes = p + room - size, .size = size, .name = "image"};
}

static void drop(struct boot_image *f)
{
    uintptr_t start = (uintptr_t)f->bytes & ~(uintptr_t)4095;
    size_t room = (f->size + 4095) & ~(size_t)4095;

    if (!room) /* an empty copy: data is the guard page itself */
        munmap((void *)start, 4096);
    else
        munmap((void *)start, room + 4096);
}

/* ---- Linux ---- */

static uint8_t image[SETUP_LEN + CODE_LEN];

static void make_linux(unsigned version)
{
    memset(image, 0, sizeof image);
    image[0x1f1] = SETUP_SECTS;
    put_le32(image + 0x1f4, CODE_LEN / 16);
    put_le16(image + 0x1fe, 0xaa55);
    image[0x201] = 0x66; /* the header ends at 0x268 */
    memcpy(image + 0x202, "HdrS", 4);
    put_le16(image + 0x206, (uint16_t)version);
    image[0x211] = 1; /* LOADED_HIGH */
    put_le32(image + 0x214, 0x100000);
    put_le32(image + 0x22c, 0x7fffffff);
    put_le32(image + 0x238, 2047);
    put_le64(image + 0x250, 0x1234); /* setup_data: must be cleared */
    put_le64(image + 0x258, 0x400000);
    put_le32(image + 0x260, 0x200000);
    for (unsigned i = 0; i < CODE_LEN; i++)
        image[SETUP_LEN + i] = (uint8_t)(i * 7 + 1);
}

static struct boot linux_files(const char *append)
{
    return (struct boot){
        .kind = BOOT_LINUX, .kernel = {image, sizeof image, "image"}, .cmdline = append};
}

Test(loader, linux_places)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot b = linux_files("console=ttyS0");
    static const uint8_t initrd[5000] = {9, 8, 7, [4999] = 6};
    struct boot_entry en;

    make_linux(0x20f);
    cr_expect_eq(boot_recognise(&b.kernel, &e), BOOT_LINUX);
    b.module_count = 1;
    b.module[0] = (struct boot_image){initrd, sizeof initrd, "initrd"};
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0xf5a50, &en), 0, "%s", e.text);
    uint8_t *bp = ram + en.esi;
    cr_expect_eq(en.eip, 0x100000);
    cr_expect_eq(memcmp(ram + 0x100000, image + SETUP_LEN, CODE_LEN), 0);
    cr_expect_eq(bp[0x210], 0xff);
    cr_expect_eq(get_le32(bp + 0x202), get_le32(image + 0x202));
    cr_expect_str_eq((char *)ram + get_le32(bp + 0x228), "console=ttyS0");
    uint32_t at = get_le32(bp + 0x218);
    cr_expect_eq(at, RAM_SIZE - 8192, "initrd at 0x%x", at);
    cr_expect_eq(get_le32(bp + 0x21c), sizeof initrd);
    cr_expect_eq(memcmp(ram + at, initrd, sizeof initrd), 0);
    cr_expect_eq(get_le32(bp + 0x70), 0xf5a50);
    cr_expect_eq(get_le32(bp + 0x250), 0, "setup_data");
    /* The memory map has a RAM line up to the end, and none in the hole. */
    bool top = false;
    for (unsigned i = 0; i < bp[0x1e8]; i++) {
        const uint8_t *m = bp + 0x2d0 + 20 * i;
        uint64_t base = get_le32(m), len = get_le32(m + 8);
        if (get_le32(m + 16) == 1) {
            cr_expect(base + len <= 0xa0000 || base >= 0x100000);
            top |= base + len == RAM_SIZE;
        }
    }
    cr_expect(top);
    cr_expect_eq(get_le64(ram + en.gdt_base + en.code_sel), 0x00cf9b000000ffffull);
    cr_expect(en.code_sel == 0x10 && en.data_sel == 0x18 && en.gdt_limit == 31);
    /* initrd_addr_max is obeyed. */
    put_le32(image + 0x22c, 0x8fffff);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(get_le32(bp + 0x218), 0x900000 - 8192);
}

/* screen_info says what the video BIOS's data say, and nothing without it. */
Test(loader, linux_screen)
{
    static const struct {
        uint8_t at, with;
    } fields[] = {{6, 3}, {7, 80}, {0xa, 3}, {0xe, 25}, {0xf, 1}, {0x10, 16}};
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot b = linux_files("");
    struct boot_entry en;

    make_linux(0x20f);
    b.kind = BOOT_LINUX;
    for (unsigned vga = 0; vga < 2; vga++) {
        if (vga) {
            ram[0x449] = 3;
            ram[0x44a] = 80;
            ram[0x484] = 24;
            ram[0x485] = 16;
        }
        cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
        for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
            cr_expect_eq(ram[en.esi + fields[i].at], vga ? fields[i].with : 0, "field %u, %u", i,
                         vga);
    }
}

Test(loader, linux_limits)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;
    static char text[4096];
    static uint8_t initrd[12 * MIB];
    struct boot b = linux_files(text);

    make_linux(0x20f);
    memset(text, 'x', 2047);
    cr_expect_eq(load(&b, ram, RAM_SIZE, 0, &en), 0);
    memset(text, 'x', 2048);
    cr_expect_neq(load(&b, ram, RAM_SIZE, 0, &en), 0);
    cr_expect(strstr(e.text, "at most 2047"), "%s", e.text);
    text[0] = 0;
    b.module_count = 1;
    b.module[0] = (struct boot_image){initrd, sizeof initrd, "initrd"};
    cr_expect_neq(load(&b, ram, RAM_SIZE, 0, &en), 0);
    cr_expect(strstr(e.text, "use -m 18"), "%s", e.text); /* 4 + 2 + 12 */
    b.module_count = 0;
    cr_expect_neq(load(&b, ram, 4 * MIB, 0, &en), 0);
    cr_expect(strstr(e.text, "use -m 6"), "%s", e.text);
    cr_expect_neq(load(&b, ram, 4096, 0, &en), 0);
    put_le32(image + 0x260, 0xfffffff0);
    cr_expect_neq(load(&b, ram, RAM_SIZE, 0, &en), 0);
    cr_expect(strstr(e.text, "more than the 3584"), "%s", e.text);
}

Test(loader, linux_old_protocols)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;
    struct boot b = linux_files("auto");

    make_linux(0x201);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(get_le16(ram + en.esi + 0x20), 0xa33f);
    cr_expect_str_eq((char *)ram + en.esi + get_le16(ram + en.esi + 0x22), "auto");
    image[0x211] = 0; /* a zImage */
    put_le32(image + 0x214, 0x1000);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(en.eip, 0x1000);
    cr_expect_eq(memcmp(ram + 0x1000, image + SETUP_LEN, CODE_LEN), 0);
    make_linux(0x1ff);
    cr_expect_neq(load(&b, ram, RAM_SIZE, 0, &en), 0);
    cr_expect(strstr(e.text, "1.255"), "%s", e.text);
}

/* What cannot be entered in 32-bit mode is refused with a sentence, not started. */
Test(loader, linux_without_an_entry)
{
    static const struct {
        const char *name;
        unsigned version, at, size;
        uint32_t value;
        const char *says; /* NULL: it is loaded */
    } rows[] = {
        {"64-bit", 0x20c, 0x236, 2, 1, "64-bit"},
        {"64-bit, EFI", 0x20f, 0x236, 2, 0x7f, "64-bit"},
        {"32-bit, EFI", 0x20c, 0x236, 2, 4, NULL},
        {"before xloadflags", 0x20b, 0x236, 2, 1, NULL},
        {"as iPXE", 0x207, 0x214, 4, 0, "real mode"},
        {"as memdisk", 0x203, 0x1f4, 4, 0, "real mode"},
        {"entry in the setup", 0x20f, 0x214, 4, 0x90200, "real mode"},
        {"entry before the code", 0x20f, 0x214, 4, 0xfffff, "real mode"},
        {"entry at its end", 0x20f, 0x214, 4, 0x100000 + CODE_LEN, "real mode"},
        {"last byte", 0x20f, 0x214, 4, 0x100000 + CODE_LEN - 1, NULL},
    };
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct boot b = linux_files("");
        make_linux(rows[i].version);
        for (unsigned k = 0; k < rows[i].size; k++)
            image[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * k);
        e.text[0] = 0;
        int err = load(&b, ram, RAM_SIZE, 0, &en);
        cr_expect_eq(err, rows[i].says ? -1 : 0, "%s: %s", rows[i].name, e.text);
        cr_expect(!rows[i].says || strstr(e.text, rows[i].says), "%s: %s", rows[i].name, e.text);
    }
}

/* No truncation may crash, and none that loses kernel bytes may load. */
Test(loader, linux_truncated)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;

    make_linux(0x20f);
    for (size_t len = 0; len < sizeof image; len += len < SETUP_LEN + 64 ? 1 : 509) {
        struct boot b = linux_files("");
        b.kernel = guarded(image, len);
        if (boot_recognise(&b.kernel, &e) == BOOT_LINUX) {
            e.text[0] = 0;
            int err = load(&b, ram, RAM_SIZE, 0, &en);
            bool whole = len + 15 >= sizeof image;
            cr_expect(err || whole, "length %zu loaded", len);
            cr_expect(!err || e.text[0], "length %zu: no sentence", len);
        }
        cr_expect_neq(boot_recognise(&b.kernel, &e), BOOT_MULTIBOOT);
        drop(&b.kernel);
    }
}

/* Every header byte in turn with nasty values: an answer, and nothing outside RAM. */
Test(loader, linux_hostile)
{
    static const uint8_t nasty[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint8_t *ram = new_ram(RAM_SIZE);
    static const uint8_t initrd[5000];
    struct boot_entry en;

    for (unsigned at = 0x1f1; at < 0x290; at++) {
        for (unsigned i = 0; i < ARRAY_LEN(nasty); i++) {
            make_linux(0x20f);
            memset(image + at, nasty[i], at + 4 <= 0x290 ? 4 : 1);
            struct boot b = linux_files("x");
            b.module_count = 1;
            b.module[0] = (struct boot_image){initrd, sizeof initrd, "initrd"};
            if (boot_recognise(&b.kernel, &e) == BOOT_LINUX && !load(&b, ram, RAM_SIZE, 0, &en))
                cr_expect(en.eip < RAM_SIZE, "byte 0x%x = 0x%x", at, nasty[i]);
        }
    }
}

/* The sizes that messages name, as printf() writes them. */
Test(loader, ram_size_in_messages)
{
    static const uint32_t pages[] = {0,    1,    128,    255,    256,    384,   25601,
                                     2561, 2562, 256002, 256003, 256006, 917503};
    struct boot b = linux_files("");
    struct boot_entry en;
    char says[64];

    make_linux(0x20f);
    put_le64(image + 0x258, 0xd0000000);
    put_le32(image + 0x260, 0x10000000); /* all that a guest can have */
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        uint64_t size = (uint64_t)pages[i] << GUEST_PAGE_SHIFT;
        static uint8_t low[MIB];
        int err = load(&b, low, size, 0, &en);
        snprintf(says, sizeof says, "%.10g MiB of RAM is too small", (double)size / MIB);
        cr_expect(err && !strncmp(e.text, says, strlen(says)), "%s, not %s", e.text, says);
    }
}

/* ---- multiboot ---- */

#define ELF_HDR 52u
#define MB_AT   0x100u
#define SEG_OFF 0x200u
#define SEG_LEN 0x400u
static uint8_t elf[SEG_OFF + SEG_LEN];

static void make_elf(uint32_t flags)
{
    uint8_t *ph = elf + ELF_HDR;

    memset(elf, 0, sizeof elf);
    memcpy(elf, "\177ELF\1\1\1", 7);
    put_le16(elf + 16, 2);
    put_le16(elf + 18, 3);
    put_le32(elf + 24, 0xc0400010); /* entry, virtual */
    put_le32(elf + 28, ELF_HDR);
    put_le16(elf + 42, 32);
    put_le16(elf + 44, 1);
    put_le32(ph, 1);
    put_le32(ph + 4, SEG_OFF);
    put_le32(ph + 8, 0xc0400000);
    put_le32(ph + 12, 0x400000);
    put_le32(ph + 16, SEG_LEN);
    put_le32(ph + 20, 0x2000);
    put_le32(elf + MB_AT, 0x1badb002);
    put_le32(elf + MB_AT + 4, flags);
    put_le32(elf + MB_AT + 8, -(0x1badb002 + flags));
    for (unsigned i = 0; i < SEG_LEN; i++)
        elf[SEG_OFF + i] = (uint8_t)(i + 3);
}

static struct boot elf_files(void)
{
    return (struct boot){
        .kind = BOOT_MULTIBOOT, .kernel = {elf, sizeof elf, "k.elf"}, .cmdline = "a b"};
}

/* The RAM that is asked for is enough, and a MiB less is not, whatever it is that needs it. */
Test(loader, smallest_ram)
{
    static uint8_t module[3 * MIB + 1];
    static const struct {
        bool bzimage, module;
        uint32_t mib;
    } rows[] = {{true, false, 6}, {true, true, 10}, {false, false, 6}, {false, true, 10}};
    struct boot_entry en;

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t size = rows[i].mib * MIB;
        uint8_t *ram = new_ram(size);
        struct boot b = rows[i].bzimage ? linux_files("") : elf_files();
        char says[64];
        make_linux(0x20f);
        make_elf(0); /* its second segment ends higher */
        put_le16(elf + 44, 2);
        memcpy(elf + ELF_HDR + 32, elf + ELF_HDR, 32);
        put_le32(elf + ELF_HDR + 32 + 12, 0x500000);
        put_le32(elf + ELF_HDR + 32 + 20, 0x100000);
        b.module_count = rows[i].module;
        b.module[0] = (struct boot_image){module, sizeof module, "m"};
        snprintf(says, sizeof says, "at least %u MiB; use -m %u or more", rows[i].mib, rows[i].mib);
        for (uint32_t less = MIB; less < size; less += MIB) {
            cr_expect(load(&b, ram, less, 0, &en) && strstr(e.text, says), "row %u, 0x%x: %s", i,
                      less, e.text);
        }
        cr_expect_eq(load(&b, ram, size, 0, &en), 0, "row %u: %s", i, e.text);
    }
}

Test(loader, multiboot_places)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot b = elf_files();
    static const uint8_t env[] = "VAR=1";
    struct boot_entry en;

    make_elf(3);
    cr_expect_eq(boot_recognise(&b.kernel, &e), BOOT_MULTIBOOT);
    b.module_count = 1;
    b.module[0] = (struct boot_image){env, sizeof env, "env arg"};
    memset(ram + 0x400000, 0xee, 0x2000);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(en.eip, 0x400010);
    cr_expect_eq(en.eax, 0x2badb002);
    cr_expect_eq(memcmp(ram + 0x400000, elf + SEG_OFF, SEG_LEN), 0);
    cr_expect_eq(ram[0x401fff], 0, "bss is not cleared");
    const uint8_t *mbi = ram + en.ebx;
    cr_expect_eq(get_le32(mbi) & 0x24f, 0x24f);
    cr_expect_eq(get_le32(mbi + 4), 639);
    cr_expect_eq(get_le32(mbi + 8), 15 * 1024);
    cr_expect_str_eq((char *)ram + get_le32(mbi + 16), "k.elf a b");
    cr_expect_str_eq((char *)ram + get_le32(mbi + 64), "ring1");
    cr_expect_eq(get_le32(mbi + 20), 1);
    const uint8_t *mod = ram + get_le32(mbi + 24);
    cr_expect_eq(get_le32(mod + 4) - get_le32(mod), sizeof env);
    cr_expect_eq(memcmp(ram + get_le32(mod), env, sizeof env), 0);
    cr_expect_eq(get_le32(mod) & 4095, 0);
    cr_expect(get_le32(mod) >= 0x402000);
    cr_expect_str_eq((char *)ram + get_le32(mod + 8), "env arg");
    unsigned lines = 0;
    for (uint32_t at = 0; at < get_le32(mbi + 44); lines++)
        at += get_le32(ram + get_le32(mbi + 48) + at) + 4;
    cr_expect_eq(lines, 5);
}

Test(loader, multiboot_flat)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot b = elf_files();
    struct boot_entry en;

    make_elf(0x10000);
    memset(elf, 0x90, 16); /* no ELF file */
    put_le32(elf + MB_AT + 12, 0x200000 + MB_AT - 0x80);
    put_le32(elf + MB_AT + 16, 0x200000);
    put_le32(elf + MB_AT + 20, 0x200000 + 0x300);
    put_le32(elf + MB_AT + 24, 0x208000);
    put_le32(elf + MB_AT + 28, 0x200123);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(en.eip, 0x200123);
    cr_expect_eq(memcmp(ram + 0x200000, elf + 0x80, 0x300), 0);
    cr_expect_eq(ram[0x200300], 0);
    put_le32(elf + MB_AT + 20, 0); /* to the end of the file */
    put_le32(elf + MB_AT + 24, 0);
    cr_assert_eq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s", e.text);
    cr_expect_eq(memcmp(ram + 0x200000, elf + 0x80, sizeof elf - 0x80), 0);
}

Test(loader, multiboot_errors)
{
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;
    static const struct {
        const char *name;
        unsigned at, size;
        uint32_t value;
        const char *says;
    } rows[] = {
        {"64-bit", 4, 1, 2, "64-bit"},
        {"class", 4, 1, 9, "not for 32-bit x86"},
        {"big endian", 5, 1, 2, "not for 32-bit x86"},
        {"machine", 18, 2, 62, "not for 32-bit x86"},
        {"no ELF", 0, 1, 0, "no ELF file"},
        {"phoff", 28, 4, 0xfffffff0, "cut off"},
        {"phentsize", 42, 2, 31, "cut off"},
        {"phnum 0", 44, 2, 0, "no program headers"},
        {"phnum 200", 44, 2, 200, "cut off"},
        {"phnum 65535", 44, 2, 65535, "too many"},
        {"no PT_LOAD", ELF_HDR, 4, 6, "no segment"},
        {"offset", ELF_HDR + 4, 4, 0xffffffff, "cut off"},
        {"offset end", ELF_HDR + 4, 4, SEG_OFF + 1, "cut off"},
        {"paddr hole", ELF_HDR + 12, 4, 0x9ff00, "video memory"},
        {"paddr top", ELF_HDR + 12, 4, 0xfffffff0, "no RAM can be"},
        {"paddr high", ELF_HDR + 12, 4, 0xc0400000, "use -m 3077"},
        {"filesz", ELF_HDR + 16, 4, 0x7fffffff, "cut off"},
        {"filesz > memsz", ELF_HDR + 20, 4, SEG_LEN - 1, "longer in the file"},
        {"memsz", ELF_HDR + 20, 4, 0x10000000, "too small"},
        {"memsz max", ELF_HDR + 20, 4, 0xffffffff, "no RAM can be"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct boot b = elf_files();
        make_elf(0);
        for (unsigned k = 0; k < rows[i].size; k++)
            elf[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * k);
        e.text[0] = 0;
        cr_expect_neq(load(&b, ram, RAM_SIZE, 0, &en), 0, "%s loaded", rows[i].name);
        cr_expect(strstr(e.text, rows[i].says), "%s: %s", rows[i].name, e.text);
    }
    struct boot b = elf_files();
    make_elf(1u << 5);
    cr_expect(load(&b, ram, RAM_SIZE, 0, &en) && strstr(e.text, "flags 0x20"), "%s", e.text);
}

Test(loader, multiboot_truncated_and_hostile)
{
    static const uint8_t nasty[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint8_t *ram = new_ram(RAM_SIZE);
    struct boot_entry en;

    for (unsigned flat = 0; flat < 2; flat++) {
        make_elf(flat ? 0x10000 : 0);
        put_le32(elf + MB_AT + 12, 0x200000 + MB_AT);
        put_le32(elf + MB_AT + 16, 0x200000);
        for (size_t len = 0; len < sizeof elf; len++) {
            struct boot b = elf_files();
            b.kernel = guarded(elf, len);
            e.text[0] = 0;
            if (boot_recognise(&b.kernel, &e) == BOOT_MULTIBOOT) {
                int err = load(&b, ram, RAM_SIZE, 0, &en);
                cr_expect(flat || err, "length %zu loaded", len);
                cr_expect(!err || e.text[0], "length %zu: no sentence", len);
            }
            drop(&b.kernel);
        }
        for (unsigned at = 0; at < MB_AT + 32; at++) {
            for (unsigned i = 0; i < ARRAY_LEN(nasty); i++) {
                struct boot b = elf_files();
                make_elf(flat ? 0x10000 : 0);
                memset(elf + at, nasty[i], 4);
                if (boot_recognise(&b.kernel, &e) == BOOT_MULTIBOOT)
                    load(&b, ram, RAM_SIZE, 0, &en);
            }
        }
    }
}

/* ---- files ---- */

static const char *put_file(const char *name, const void *data, size_t len)
{
    static char path[8][64];
    static unsigned n;
    char *p = path[n++ % 8];

    snprintf(p, 64, "/tmp/ring1-loader-%d-%s", getpid(), name);
    FILE *f = fopen(p, "w");
    cr_assert(f && fwrite(data, 1, len, f) == len && fclose(f) == 0);
    return p;
}

Test(loader, files)
{
    struct boot_files b;
    struct error err;
    char list[256];

    make_elf(0);
    const char *k = put_file("k", elf, sizeof elf), *a = put_file("a", "AA", 2),
               *c = put_file("c,c", "CCC", 3);
    const char *empty = put_file("empty", "", 0), *junk = put_file("junk", "hello, world", 12);
    snprintf(list, sizeof list, "%s arg one,/tmp/ring1-loader-%d-c,,c x,,y,%s", a, getpid(), a);
    cr_assert_eq(boot_open(&b, k, list, "cmd", &err), 0, "%s", err.text);
    cr_expect_eq(b.boot.module_count, 3);
    cr_expect(b.module[0].size == 2 && b.module[1].size == 3 && b.module[2].size == 2);
    cr_expect(strstr(b.boot.module[0].name, " arg one") &&
              strstr(b.boot.module[1].name, "c,c x,y"));
    boot_close(&b);
    cr_expect(boot_open(&b, k, "/nonexistent/x", NULL, &err) && strstr(err.text, "cannot open"),
              "%s", err.text);
    cr_expect(boot_open(&b, k, "", NULL, &err) != 0);
    cr_expect(boot_open(&b, k, ",,,,,", NULL, &err) != 0);
    cr_expect(boot_open(&b, "/nonexistent/x", NULL, NULL, &err) &&
                  strstr(err.text, "cannot open the kernel"),
              "%s", err.text);
    cr_expect(boot_open(&b, "/tmp", NULL, NULL, &err) && strstr(err.text, "directory"), "%s",
              err.text);
    /* A module may be empty, and the modules around it are what they were. */
    snprintf(list, sizeof list, "%s,%s,%s,/dev/null", a, empty, a);
    cr_assert_eq(boot_open(&b, k, list, "cmd", &err), 0, "%s", err.text);
    cr_expect(b.boot.module_count == 4 && b.module[1].size == 0 && b.module[2].size == 2);
    struct boot_entry en;
    uint8_t *ram = new_ram(RAM_SIZE);
    cr_assert_eq(load(&b.boot, ram, RAM_SIZE, 0, &en), 0);
    const uint8_t *mod = ram + get_le32(ram + en.ebx + 24);
    cr_expect(get_le32(ram + en.ebx + 20) == 4 && get_le32(mod + 16) == get_le32(mod + 20) &&
              memcmp(ram + get_le32(mod + 32), "AA", 2) == 0);
    boot_close(&b);
    cr_expect(boot_open(&b, empty, NULL, NULL, &err) && strstr(err.text, "is empty"), "%s",
              err.text);
    cr_expect(boot_open(&b, junk, NULL, NULL, &err) && strstr(err.text, "neither"), "%s", err.text);
    cr_expect(boot_open(&b, "/dev/null", NULL, NULL, &err) && strstr(err.text, "is empty"), "%s",
              err.text);
    unlink(k), unlink(a), unlink(c), unlink(empty), unlink(junk);
}
