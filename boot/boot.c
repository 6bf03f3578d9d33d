/* SPDX-License-Identifier: MIT */
/* boot.c - see boot.h: what the loaders share, and the CPU as firmware leaves it. */
#include "boot/boot_priv.h"

#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"
#include "monitor/arch/segment.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vcpu.h"

#define BIOS_AREA 0xe0000u

int boot_fail(struct boot_error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fmt_vline(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return -1;
}

size_t boot_text_len(const char *text)
{
    const char *end = text;

    while (*end)
        end++;
    return (size_t)(end - text);
}

unsigned boot_memory_map(uint64_t ram_size, struct map_range *out)
{
    unsigned n = 0;

    out[n++] = (struct map_range){0, EBDA_BASE, 1};
    out[n++] = (struct map_range){EBDA_BASE, VGA_HOLE - EBDA_BASE, 2};
    /* ACPI and MP tables live here (devices/pc.h). */
    out[n++] = (struct map_range){BIOS_AREA, HIGH_MEMORY - BIOS_AREA, 2};
    if (ram_size > HIGH_MEMORY)
        out[n++] = (struct map_range){HIGH_MEMORY, ram_size - HIGH_MEMORY, 1};
    out[n++] = (struct map_range){0xfffc0000, 0x40000, 2}; /* firmware ROM below 4 GiB */
    return n;
}

/* A size below 4 GiB in MiB with ten digits, as "%.10g" would write it: 1.5 for 0x180000. */
static void mib_text(uint64_t size, char *out, size_t room)
{
    char digits[12];
    unsigned decimals = 9;
    uint64_t unit = 1000000000;

    for (uint64_t whole = size >> 20; whole >= 10; whole /= 10)
        decimals--, unit /= 10;
    uint64_t scaled = size * unit, n = scaled >> 20, rest = scaled & 0xfffff;
    if (rest > 0x80000 || (rest == 0x80000 && (n & 1))) /* to nearest, to even */
        n++;
    uint64_t part = n % unit;
    for (unsigned i = decimals; i > 0; i--, part /= 10)
        digits[i - 1] = (char)('0' + part % 10);
    while (decimals && digits[decimals - 1] == '0')
        decimals--;
    digits[decimals] = 0;
    fmt_line(out, room, "%llu%s%s", (unsigned long long)(n / unit), decimals ? "." : "", digits);
}

int boot_ram_too_small(struct boot_error *e, uint64_t ram_size, uint64_t needed, const char *what)
{
    uint64_t mib = (needed + (1u << 20) - 1) >> 20;
    char have[24];

    if (mib > 3584)
        return boot_fail(e, "%s needs %llu MiB of RAM, more than the 3584 MiB a guest can have",
                         what, (unsigned long long)mib);
    mib_text(ram_size, have, sizeof have);
    return boot_fail(e,
                     "%s MiB of RAM is too small: %s needs at least %llu MiB; use -m %llu or more",
                     have, what, (unsigned long long)mib, (unsigned long long)mib);
}

enum boot_kind boot_recognise(const struct boot_image *kernel, struct boot_error *e)
{
    if (boot_is_linux(kernel))
        return BOOT_LINUX;
    if (boot_is_multiboot(kernel))
        return BOOT_MULTIBOOT;
    boot_fail(e,
              "'%s' is no kernel that ring1 can boot: it is neither a Linux bzImage nor a "
              "32-bit kernel with a multiboot header",
              kernel->name);
    return BOOT_UNKNOWN;
}

/* What operating systems look up in the BIOS data area. */
static void put_bios_data(uint8_t *ram)
{
    put_le16(ram + BDA_BASE + 0x00, 0x3f8); /* serial ports */
    put_le16(ram + BDA_BASE + 0x02, 0x2f8);
    put_le16(ram + BDA_BASE + 0x0e, EBDA_BASE >> 4);
    put_le16(ram + BDA_BASE + 0x13, EBDA_BASE >> 10); /* KiB of conventional memory */
    ram[EBDA_BASE] = 1;                               /* size of the EBDA in KiB */
}

int boot_load(const struct boot *b, const struct boot_ram *ram, uint32_t rsdp,
              struct boot_entry *out, struct boot_error *e)
{
    if (ram->size < HIGH_MEMORY)
        return boot_ram_too_small(e, ram->size, HIGH_MEMORY, "a kernel");
    put_bios_data(ram->base);
    if (b->kind == BOOT_LINUX)
        return boot_load_linux(b, ram, rsdp, out, e);
    return boot_load_multiboot(b, ram, out, e);
}

void boot_put_gdt(uint8_t *ram, uint32_t gpa, uint16_t code, struct boot_entry *out)
{
    memset(ram + gpa, 0, code);
    /* Base 0, limit 4 GiB, 32-bit, DPL 0, accessed (SDM vol. 3A, section 3.4.5). */
    put_le64(ram + gpa + code, 0x00cf9b000000ffffull);
    put_le64(ram + gpa + code + 8, 0x00cf93000000ffffull);
    out->gdt_base = gpa;
    out->gdt_limit = (uint16_t)(code + 15);
    out->code_sel = code;
    out->data_sel = (uint16_t)(code + 8);
}

static void set_flat(struct seg *s, uint16_t sel, uint16_t type)
{
    *s = (struct seg){
        .sel = sel,
        .attr = (uint16_t)(SEGA_G | SEGA_DB | SEGA_P | SEGA_S | type | SEGA_ACCESSED),
        .limit = 0xffffffff,
    };
    seg_derive(s, true);
}

/* MTRRs as a PC's firmware programs them: RAM write-back, the VGA hole and the PCI hole uncached,
 * option ROMs write-protected (SDM vol. 3A, section 12.11). */
static void set_mtrrs(struct vcpu *v)
{
    const uint64_t wb = 0x0606060606060606, wp = 0x0505050505050505;

    v->msr.mtrr_fix[0] = v->msr.mtrr_fix[1] = wb;
    v->msr.mtrr_fix[2] = 0;
    for (unsigned i = 3; i < ARRAY_LEN(v->msr.mtrr_fix); i++)
        v->msr.mtrr_fix[i] = wp;
    v->msr.mtrr_phys[0] = 0xe0000000;
    v->msr.mtrr_phys[1] = 0xfe0000800;
    v->msr.mtrr_def_type = 0xc06;
}

void boot_enter(struct vcpu *v, const struct boot_entry *entry)
{
    if (cpu_has_1_edx(v, 1u << 12))
        set_mtrrs(v);
    v->cr0 = CR0_ET | CR0_PE;
    v->gdtr = (struct table_reg){.base = entry->gdt_base, .limit = entry->gdt_limit};
    v->idtr = (struct table_reg){.base = 0, .limit = 0};
    for (unsigned i = 0; i < SEG_COUNT; i++)
        set_flat(&v->seg[i], entry->data_sel, SEGA_RW);
    set_flat(&v->seg[SEG_CS], entry->code_sel, SEGA_CODE | SEGA_RW);
    memset(v->gpr, 0, sizeof v->gpr);
    v->gpr[EAX] = entry->eax;
    v->gpr[EBX] = entry->ebx;
    v->gpr[ESI] = entry->esi;
    v->gpr[ESP] = entry->esp;
    v->eip = v->next_eip = entry->eip;
    v->eflags = EFL_FIXED1;
    v->cpl = 0;
    vcpu_attend(v, ATT_MODE);
}
