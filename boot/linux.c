/* SPDX-License-Identifier: MIT */
/*
 * linux.c - Linux kernels by the x86 boot protocol, entered at their 32-bit entry point.
 *
 * Promises   Protocol 2.00 (Linux 1.3.73) and later; bzImage and the old zImage. The real-mode part
 *            of the kernel is not run: what it would find out from firmware is put into boot_params
 *            here. Files that have only a real-mode entry, and 64-bit kernels, are refused.
 * Source     Linux Documentation/arch/x86/boot.rst and zero-page.rst (field names are theirs).
 *
 * Low memory:  0x90000 boot_params | 0x91000 command line | 0x99000 GDT | stack below 0x9a000
 */
#include "boot/boot_priv.h"
#include "include/ring1/mem.h"

#define BOOT_PARAMS  0x90000u /* also where kernels before 2.02 expect it */
#define CMDLINE      0x91000u
#define CMDLINE_ROOM 0x8000u
#define GDT          0x99000u
#define STACK_TOP    0x9a000u
#define ZIMAGE_LOAD  0x1000u
#define BZIMAGE_LOAD 0x100000u
#define BOOT_CS      0x10

/* boot_params, beginning with the copy of the setup header at the header's file offsets. */
enum {
    BP_EXT_MEM_K = 0x002,
    BP_OLD_CMDLINE_MAGIC = 0x020,
    BP_OLD_CMDLINE_OFFSET = 0x022,
    BP_VIDEO_MODE = 0x006,
    BP_VIDEO_COLS = 0x007,
    BP_VIDEO_EGA_BX = 0x00a,
    BP_VIDEO_LINES = 0x00e,
    BP_VIDEO_IS_VGA = 0x00f,
    BP_VIDEO_POINTS = 0x010,
    BP_ACPI_RSDP = 0x070,
    BP_ALT_MEM_K = 0x1e0,
    BP_E820_ENTRIES = 0x1e8,
    HDR_START = 0x1f1,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_SYSSIZE = 0x1f4,
    HDR_VID_MODE = 0x1fa,
    HDR_BOOT_FLAG = 0x1fe,
    HDR_JUMP = 0x201, /* its operand gives the header's end: 0x202 + operand */
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_TYPE_OF_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_CODE32_START = 0x214,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_HEAP_END_PTR = 0x224,
    HDR_CMD_LINE_PTR = 0x228,
    HDR_INITRD_ADDR_MAX = 0x22c,
    HDR_KERNEL_ALIGNMENT = 0x230,
    HDR_RELOCATABLE = 0x234,
    HDR_XLOADFLAGS = 0x236,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_SETUP_DATA = 0x250,
    HDR_PREF_ADDRESS = 0x258,
    HDR_INIT_SIZE = 0x260,
    HDR_MIN_END = 0x228, /* of protocol 2.00 with what we read unconditionally */
    HDR_ROOM = 0x290,    /* the header ends here at the latest: edd_mbr_sig_buffer follows */
    BP_E820_TABLE = 0x2d0,
    BP_SIZE = 0x1000,
};
#define LOADED_HIGH  0x01u
#define CAN_USE_HEAP 0x80u
#define KERNEL_64    0x01u /* of xloadflags: the code is 64-bit, with an entry point at 0x200 */

/* What the header says, read with the defaults of its protocol version. */
struct layout {
    unsigned version;
    bool high;
    size_t setup_len;    /* file offset of the protected-mode part */
    const uint8_t *code; /* the protected-mode part */
    size_t code_len;
    uint32_t load, entry;
    /* first byte the running kernel does not need before it looks at the memory map */
    uint64_t end;
    uint64_t initrd_max;  /* highest address of an initrd's last byte */
    uint32_t cmdline_max; /* characters */
};

bool boot_is_linux(const struct boot_image *f)
{
    return f->size >= HDR_MAGIC + 4 && get_le16(f->bytes + HDR_BOOT_FLAG) == 0xaa55 &&
           memcmp(f->bytes + HDR_MAGIC, "HdrS", 4) == 0;
}

/* Is there code that ring1 can enter? A 64-bit kernel has a 32-bit entry too, but goes on to long
 * mode. What is no kernel (iPXE, memdisk) has this header only so that boot loaders start its
 * real-mode part, which finds a BIOS: fields about the protected-mode part are then left 0. */
static int check_entry(const struct boot_image *f, struct layout *l, struct boot_error *e)
{
    const uint8_t *h = f->bytes;
    uint32_t start = get_le32(h + HDR_CODE32_START);

    if (l->version >= 0x20c && (get_le16(h + HDR_XLOADFLAGS) & KERNEL_64))
        return boot_fail(e, "the kernel '%s' is a 64-bit one; ring1 runs 32-bit guests", f->name);
    if (start < l->load || start - l->load >= l->code_len || get_le32(h + HDR_SYSSIZE) == 0)
        return boot_fail(e,
                         "'%s' can only be entered in real mode, under a BIOS: its boot header "
                         "describes no 32-bit code (code32_start 0x%x, syssize 0x%x); ring1 has no "
                         "BIOS",
                         f->name, start, get_le32(h + HDR_SYSSIZE));
    l->entry = start;
    return 0;
}

static int read_header(const struct boot_image *f, struct layout *l, struct boot_error *e)
{
    const uint8_t *h = f->bytes;

    if (f->size < HDR_ROOM)
        return boot_fail(e, "the kernel '%s' is cut off in its header", f->name);
    l->version = get_le16(h + HDR_VERSION);
    if (l->version < 0x200)
        return boot_fail(e, "the kernel '%s' uses boot protocol %u.%02u; ring1 needs 2.00 or later",
                         f->name, l->version >> 8, l->version & 0xff);
    unsigned sectors = h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : 4;
    l->setup_len = (sectors + 1) * 512;
    if (l->setup_len >= f->size)
        return boot_fail(e, "the kernel '%s' is cut off: its file ends before the kernel begins",
                         f->name);
    l->code = h + l->setup_len;
    l->code_len = f->size - l->setup_len;
    /* Before 2.04 only 16 bits of syssize could be trusted. */
    if (l->version >= 0x204) {
        uint64_t said = (uint64_t)get_le32(h + HDR_SYSSIZE) * 16;
        if (said > l->code_len + 15)
            return boot_fail(e, "the kernel '%s' is cut off: its file lacks %llu bytes", f->name,
                             (unsigned long long)(said - l->code_len));
    }
    l->high = h[HDR_LOADFLAGS] & LOADED_HIGH;
    l->load = l->high ? BZIMAGE_LOAD : ZIMAGE_LOAD;
    l->initrd_max = l->version >= 0x203 ? get_le32(h + HDR_INITRD_ADDR_MAX) : 0x37ffffff;
    l->cmdline_max = l->version >= 0x206 ? get_le32(h + HDR_CMDLINE_SIZE) : 255;
    if (l->cmdline_max > CMDLINE_ROOM - 1)
        l->cmdline_max = CMDLINE_ROOM - 1;
    return check_entry(f, l, e);
}

/* Finds out where the kernel goes, and up to where RAM is taken while it unpacks itself. */
static int place_kernel(const struct boot_image *f, struct layout *l, struct boot_error *e)
{
    const uint8_t *h = f->bytes;

    l->end = (uint64_t)l->load + l->code_len;
    if (!l->high && l->end > BOOT_PARAMS)
        return boot_fail(
            e, "the kernel '%s' is broken: it wants to be loaded low but is %llu bytes long",
            f->name, (unsigned long long)l->code_len);
    if (l->version >= 0x20a) {
        uint64_t pref =
            (uint64_t)get_le32(h + HDR_PREF_ADDRESS + 4) << 32 | get_le32(h + HDR_PREF_ADDRESS);
        uint64_t runs_at = l->load;
        if (pref > runs_at && (pref >> 32) == 0)
            runs_at = pref; /* it moves itself there, relocatable or not, when loaded lower */
        uint64_t end = runs_at + get_le32(h + HDR_INIT_SIZE);
        if (end > l->end)
            l->end = end;
    }
    return 0;
}

/* Places the initrd at *at, page-aligned, as high as the kernel and RAM allow. */
static int place_initrd(const struct layout *l, uint64_t size, uint64_t ram_size, uint32_t *at,
                        struct boot_error *e)
{
    uint64_t top = ram_size, floor = (l->end + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;
    uint64_t rounded = (size + GUEST_PAGE_MASK) & ~(uint64_t)GUEST_PAGE_MASK;

    if (floor < BZIMAGE_LOAD)
        floor = BZIMAGE_LOAD;
    if (floor + rounded > ram_size)
        return boot_ram_too_small(e, ram_size, floor + rounded, "this kernel with its initrd");
    if (top > l->initrd_max + 1)
        top = (l->initrd_max + 1) & ~(uint64_t)GUEST_PAGE_MASK;
    if (floor + rounded > top)
        return boot_fail(
            e,
            "the initrd is too big: this kernel accepts none that ends above 0x%llx and needs "
            "the memory up to 0x%llx itself",
            (unsigned long long)l->initrd_max, (unsigned long long)floor);
    *at = (uint32_t)(top - rounded);
    return 0;
}

static void put_memory_map(uint8_t *bp, uint64_t ram_size)
{
    struct map_range map[MAP_RANGES];
    unsigned n = boot_memory_map(ram_size, map);
    uint64_t high_k = ram_size > HIGH_MEMORY ? (ram_size - HIGH_MEMORY) >> 10 : 0;

    for (unsigned i = 0; i < n; i++) {
        uint8_t *entry = bp + BP_E820_TABLE + 20 * i;
        put_le64(entry, map[i].base);
        put_le64(entry + 8, map[i].len);
        put_le32(entry + 16, map[i].type);
    }
    bp[BP_E820_ENTRIES] = (uint8_t)n;
    put_le32(bp + BP_ALT_MEM_K, (uint32_t)high_k);
    put_le16(bp + BP_EXT_MEM_K, high_k > 0xfc00 ? 0xfc00 : (uint16_t)high_k);
}

/* What the real-mode part asks the video BIOS, taken from where that keeps it. Without a graphics
 * card screen_info stays zero: the kernel then uses its serial console. */
static void put_screen_info(uint8_t *bp, const uint8_t *ram)
{
    const uint8_t *bda = ram + BDA_BASE;

    if (!get_le16(bda + BDA_VIDEO_COLUMNS))
        return;
    bp[BP_VIDEO_MODE] = bda[BDA_VIDEO_MODE];
    bp[BP_VIDEO_COLS] = bda[BDA_VIDEO_COLUMNS];
    put_le16(bp + BP_VIDEO_EGA_BX, 3); /* colour, 256 KiB */
    bp[BP_VIDEO_LINES] = (uint8_t)(bda[BDA_VIDEO_LAST_ROW] + 1);
    bp[BP_VIDEO_IS_VGA] = 1;
    put_le16(bp + BP_VIDEO_POINTS, get_le16(bda + BDA_VIDEO_POINTS));
}

static void put_boot_params(const struct boot_image *f, const struct layout *l, uint8_t *bp,
                            uint64_t ram_size)
{
    size_t end = HDR_MAGIC + f->bytes[HDR_JUMP];

    if (end < HDR_MIN_END)
        end = HDR_MIN_END;
    if (end > HDR_ROOM)
        end = HDR_ROOM;
    memset(bp, 0, BP_SIZE);
    memcpy(bp + HDR_START, f->bytes + HDR_START, end - HDR_START);
    put_le16(bp + HDR_VID_MODE, 0xffff);
    bp[HDR_TYPE_OF_LOADER] = 0xff;
    bp[HDR_LOADFLAGS] |= CAN_USE_HEAP;
    put_le32(bp + HDR_CODE32_START, l->load);
    put_le16(bp + HDR_HEAP_END_PTR, 0xe000 - 0x200);
    if (l->version >= 0x202) {
        put_le32(bp + HDR_CMD_LINE_PTR, CMDLINE);
    } else {
        put_le16(bp + BP_OLD_CMDLINE_MAGIC, 0xa33f);
        put_le16(bp + BP_OLD_CMDLINE_OFFSET, CMDLINE - BOOT_PARAMS);
    }
    if (l->version >= 0x209)
        put_le64(bp + HDR_SETUP_DATA, 0);
    put_memory_map(bp, ram_size);
}

int boot_load_linux(const struct boot *b, const struct boot_ram *r, uint32_t rsdp,
                    struct boot_entry *out, struct boot_error *e)
{
    const struct boot_image *initrd = b->module_count ? &b->module[0] : NULL;
    size_t cmdline_len = boot_text_len(b->cmdline);
    uint8_t *ram = r->base, *bp = ram + BOOT_PARAMS;
    uint32_t initrd_at = 0;
    struct layout l = {0};

    if (read_header(&b->kernel, &l, e) || place_kernel(&b->kernel, &l, e))
        return -1;
    if (!initrd && l.end > r->size)
        return boot_ram_too_small(e, r->size, l.end, "this kernel");
    if (initrd && place_initrd(&l, initrd->size, r->size, &initrd_at, e))
        return -1;
    if (cmdline_len > l.cmdline_max)
        return boot_fail(e,
                         "the command line is %llu characters long; this kernel takes at most %u",
                         (unsigned long long)cmdline_len, l.cmdline_max);
    memcpy(ram + l.load, l.code, l.code_len);
    put_boot_params(&b->kernel, &l, bp, r->size);
    put_le64(bp + BP_ACPI_RSDP, rsdp);
    put_screen_info(bp, ram);
    memcpy(ram + CMDLINE, b->cmdline, cmdline_len + 1);
    if (initrd) {
        memcpy(ram + initrd_at, initrd->bytes, initrd->size);
        put_le32(bp + HDR_RAMDISK_IMAGE, initrd_at);
        put_le32(bp + HDR_RAMDISK_SIZE, (uint32_t)initrd->size);
    } else {
        put_le32(bp + HDR_RAMDISK_IMAGE, 0);
        put_le32(bp + HDR_RAMDISK_SIZE, 0);
    }
    *out = (struct boot_entry){.eip = l.entry, .esp = STACK_TOP, .esi = BOOT_PARAMS};
    boot_put_gdt(ram, GDT, BOOT_CS, out);
    return 0;
}
