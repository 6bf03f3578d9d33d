/* SPDX-License-Identifier: MIT */
/* load.c - see load.h: what the loaders share. */
#include "host/linux/load.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/arch/segment.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vcpu.h"

#define BDA_BASE    0x400u /* BIOS data area */
#define BIOS_AREA   0xe0000u
#define HIGH_MEMORY 0x100000u

unsigned memory_map(uint64_t ram_size, struct map_range *out)
{
    unsigned n = 0;

    out[n++] = (struct map_range){0, EBDA_BASE, 1};
    out[n++] = (struct map_range){EBDA_BASE, 0xa0000 - EBDA_BASE, 2};
    /* ACPI and MP tables live here (devices/pc.h). */
    out[n++] = (struct map_range){BIOS_AREA, HIGH_MEMORY - BIOS_AREA, 2};
    if (ram_size > HIGH_MEMORY)
        out[n++] = (struct map_range){HIGH_MEMORY, ram_size - HIGH_MEMORY, 1};
    out[n++] = (struct map_range){0xfffc0000, 0x40000, 2}; /* firmware ROM below 4 GiB */
    return n;
}

int ram_too_small(struct error *e, uint64_t ram_size, uint64_t needed, const char *what)
{
    uint64_t mib = (needed + (1u << 20) - 1) >> 20;

    if (mib > 3584)
        return error_set(e, "%s needs %llu MiB of RAM, more than the 3584 MiB a guest can have",
                         what, (unsigned long long)mib);
    return error_set(
        e, "%.10g MiB of RAM is too small: %s needs at least %llu MiB; use -m %llu or more",
        (double)ram_size / (1u << 20), what, (unsigned long long)mib, (unsigned long long)mib);
}

/* Modules may be empty: they can be messages by their names alone. */
static int open_filled(struct file *f, const char *what, const char *path, struct error *e)
{
    if (file_open(f, what, path, e))
        return -1;
    if (f->size)
        return 0;
    file_close(f);
    return error_set(e, "the %s '%s' is empty", what, path);
}

/* Splits -initrd's "FILE ARGS,FILE ARGS"; two commas stand for one comma in a name. */
static int open_modules(struct boot_files *b, const char *list, struct error *e)
{
    char *in, *out, *start;

    b->list = malloc(2 * (strlen(list) + 1));
    if (!b->list)
        return error_set(e, "out of memory");
    char *names = b->list + strlen(list) + 1;
    memcpy(b->list, list, strlen(list) + 1);
    in = out = start = b->list;
    for (bool more = true; more; start = out) {
        while (*in && !(in[0] == ',' && in[1] != ',')) {
            if (*in == ',')
                in++;
            *out++ = *in++;
        }
        more = *in == ',';
        in++; /* the comma; not read again after the final NUL */
        *out++ = 0;
        if (b->module_count == MAX_MODULES)
            return error_set(e, "-initrd names more than %u modules", MAX_MODULES);
        size_t len = strcspn(start, " ");
        memcpy(names, start, len);
        names[len] = 0;
        if (file_open(&b->module[b->module_count], "module", names, e))
            return -1;
        b->module_args[b->module_count++] = start;
        names += len + 1;
    }
    return 0;
}

int boot_open(struct boot_files *b, const char *kernel, const char *initrd, const char *append,
              struct error *e)
{
    int err;

    *b = (struct boot_files){.append = append ? append : ""};
    if (open_filled(&b->kernel, "kernel", kernel, e))
        return -1;
    if (is_linux(&b->kernel)) {
        b->kind = KERNEL_LINUX;
        err = initrd ? open_filled(&b->module[0], "initrd", initrd, e) : 0;
        b->module_count = initrd && !err;
    } else if (is_multiboot(&b->kernel)) {
        b->kind = KERNEL_MULTIBOOT;
        err = initrd ? open_modules(b, initrd, e) : 0;
    } else {
        err =
            error_set(e,
                      "'%s' is no kernel that ring1 can boot: it is neither a Linux bzImage nor a "
                      "32-bit kernel with a multiboot header",
                      kernel);
    }
    if (err)
        boot_close(b);
    return err;
}

void boot_close(struct boot_files *b)
{
    file_close(&b->kernel);
    for (unsigned i = 0; i < b->module_count; i++)
        file_close(&b->module[i]);
    b->module_count = 0;
    free(b->list);
    b->list = NULL;
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

int boot_load(const struct boot_files *b, uint8_t *ram, uint64_t ram_size, uint32_t rsdp,
              struct boot_entry *out, struct error *e)
{
    if (ram_size < HIGH_MEMORY)
        return ram_too_small(e, ram_size, HIGH_MEMORY, "a kernel");
    put_bios_data(ram);
    if (b->kind == KERNEL_LINUX)
        return load_linux(b, ram, ram_size, rsdp, out, e);
    return load_multiboot(b, ram, ram_size, out, e);
}

void put_flat_gdt(uint8_t *ram, uint32_t gpa, uint16_t code, struct boot_entry *out)
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
