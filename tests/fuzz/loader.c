/* SPDX-License-Identifier: MIT */
/*
 * loader.c - kernels with hostile headers: Linux, multiboot with addresses, multiboot ELF. Nothing
 * outside the file is read and nothing outside guest RAM is written (both end at inaccessible
 * pages); what is refused is refused with one sentence.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "boot/boot.h"
#include "include/ring1/bytes.h"
#include "tests/fuzz/fuzz.h"

#define MIB_BYTES (1u << 20)
#define RAM_MAX_  (24u * MIB_BYTES)
#define FILE_MAX  (64u * 1024)
#define GUARD     (1u << 20)

static uint8_t *ram_end, *file_end; /* what lies before these may be used */
static uint8_t image[FILE_MAX];

/* `size` bytes between inaccessible ones; returns the end. */
static uint8_t *guarded(size_t size)
{
    uint8_t *p =
        mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED || mprotect(p + GUARD, size, PROT_READ | PROT_WRITE))
        fuzz_fail("no memory");
    return p + GUARD + size;
}

/* A number at which checks go wrong. */
static uint32_t odd_number(void)
{
    static const uint32_t edges[] = {
        0,       1,        0xfff,      0x1000,     0x9000,     0x90000,    0x9fc00,    0xa0000,
        0xfffff, 0x100000, 0x7fffffff, 0x80000000, 0xdfffffff, 0xe0000000, 0xfffff000, 0xffffffff};

    switch (rnd(4)) {
    case 0:
        return PICK(edges);
    case 1:
        return PICK(edges) + rnd(64) - 32;
    case 2:
        return rnd(RAM_MAX_ + MIB_BYTES);
    default:
        return rnd32() >> rnd(32);
    }
}

static size_t make_linux(void)
{
    size_t size = 0x1000 + rnd(FILE_MAX - 0x1000);
    unsigned sectors = 1 + rnd(6);

    image[0x1f1] = (uint8_t)sectors;
    put_le32(image + 0x1f4, (uint32_t)((size - (sectors + 1) * 512) / 16));
    put_le16(image + 0x1fe, 0xaa55);
    image[0x201] = chance(80) ? 0x66 : (uint8_t)rnd(256);
    memcpy(image + 0x202, "HdrS", 4);
    put_le16(image + 0x206, chance(80) ? 0x200 + rnd(16) : (uint16_t)rnd32());
    image[0x211] = (uint8_t)rnd(2);
    put_le32(image + 0x214, image[0x211] ? 0x100000 : 0x1000);
    put_le32(image + 0x22c, chance(50) ? 0x7fffffff : odd_number());
    put_le32(image + 0x230, 1u << rnd(32));
    put_le32(image + 0x238, chance(50) ? 255 : odd_number());
    put_le64(image + 0x258, chance(50) ? 0x400000 : odd_number());
    put_le32(image + 0x260, chance(50) ? 0x200000 : odd_number());
    for (unsigned n = rnd(4); n; n--)
        put_le32(image + 0x1f1 + rnd(0x7a), odd_number());
    return size;
}

static void put_multiboot(uint32_t at, uint32_t flags)
{
    put_le32(image + at, 0x1badb002);
    put_le32(image + at + 4, flags);
    put_le32(image + at + 8, 0u - 0x1badb002u - flags);
}

static size_t make_flat(void)
{
    size_t size = 64 + rnd(FILE_MAX - 64);
    uint32_t at = rnd(chance(90) ? 32 : (uint32_t)size - 12) & ~3u;
    uint32_t load = chance(60) ? 0x100000 : odd_number();

    put_multiboot(at, 0x10000 | rnd(4));
    if (at + 32 <= FILE_MAX) {
        put_le32(image + at + 12, load + at);
        put_le32(image + at + 16, load);
        put_le32(image + at + 20, chance(50) ? 0 : load + rnd((uint32_t)size));
        put_le32(image + at + 24, chance(50) ? 0 : load + odd_number());
        put_le32(image + at + 28, load);
        if (chance(50))
            put_le32(image + at + 12 + 4 * rnd(5), odd_number());
    }
    return size;
}

static size_t make_elf(void)
{
    size_t size = 512 + rnd(FILE_MAX - 512);
    unsigned count = 1 + rnd(4);

    memcpy(image, "\177ELF\1\1\1", 7);
    put_le16(image + 18, 3);
    put_le32(image + 24, 0x100000);
    put_le32(image + 28, chance(90) ? 52 : odd_number());
    put_le16(image + 42, chance(90) ? 32 : (uint16_t)odd_number());
    put_le16(image + 44, chance(90) ? (uint16_t)count : (uint16_t)odd_number());
    for (unsigned i = 0; i < count; i++) {
        uint8_t *p = image + 52 + 32 * i;
        uint32_t len = rnd((uint32_t)size - 256);

        put_le32(p, chance(90) ? 1 : rnd(8));
        put_le32(p + 4, chance(80) ? rnd(256) : odd_number());
        put_le32(p + 8, chance(50) ? 0xc0100000 : odd_number());
        put_le32(p + 12, chance(60) ? 0x100000 * (1 + i) : odd_number());
        put_le32(p + 16, chance(80) ? len : odd_number());
        put_le32(p + 20, chance(60) ? len + rnd(0x10000) : odd_number());
    }
    put_multiboot(400, rnd(4));
    return size;
}

static void check_error(const struct boot_error *e)
{
    size_t len = strnlen(e->text, sizeof e->text);

    FUZZ_CHECK(len > 10 && len < sizeof e->text && !strchr(e->text, '\n'));
}

static void one(void)
{
    static char append[3000];
    uint64_t ram_size = (uint64_t)(1 + rnd(24)) * MIB_BYTES;
    struct boot b = {.cmdline = append};
    struct boot_entry entry;
    struct boot_error e = {{0}};
    size_t size, len = chance(80) ? rnd(100) : rnd(sizeof append - 1);

    for (size_t i = 0; i < sizeof image; i += 8)
        put_le64(image + i, chance(5) ? rnd64() : 0);
    memset(append, 'a', len);
    append[len] = 0;
    unsigned kind = rnd(3);
    size = kind == 0 ? make_linux() : kind == 1 ? make_flat() : make_elf();
    for (unsigned n = chance(30) ? rnd(20) : 0; n; n--)
        image[rnd(1024)] = (uint8_t)rnd32();
    if (chance(20))
        size = 1 + rnd((uint32_t)size);
    memcpy(file_end - size, image, size);
    b.kernel = (struct boot_image){.bytes = file_end - size, .size = size, .name = "kernel"};
    b.kind = boot_recognise(&b.kernel, &e);
    if (b.kind == BOOT_UNKNOWN) {
        check_error(&e);
        return;
    }
    if (chance(40)) {
        b.module_count = b.kind == BOOT_LINUX ? 1 : 1 + rnd(BOOT_MODULES);
        for (unsigned i = 0; i < b.module_count; i++) {
            b.module[i] = b.kernel;
            b.module[i].name = "module with arguments";
        }
    }
    struct boot_ram ram = {.base = ram_end - ram_size, .size = ram_size};
    if (boot_load(&b, &ram, rnd(2) ? 0xe0000 : 0, &entry, &e))
        check_error(&e);
    else
        FUZZ_CHECK(entry.gdt_base + entry.gdt_limit < ram_size && entry.esp <= ram_size);
}

int main(int argc, char **argv)
{
    fuzz_name = argv[0];
    ram_end = guarded(RAM_MAX_);
    file_end = guarded(FILE_MAX);
    return fuzz_main(argc, argv, one);
}
