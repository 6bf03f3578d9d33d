/* SPDX-License-Identifier: MIT */
/* firmware.c - see firmware.h. */
#define _GNU_SOURCE
#include "host/linux/firmware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/run/lockstep.h"

#define ROM_END   0x100000000ull
#define ISA_END   0x100000u
#define ISA_BYTES 0x20000u
#define ROM_LEAST 0x10000u /* the reset vector's segment */
#define ROM_MOST  0x1000000u
#define VGA_NAME  "vgabios-stdvga.bin"
#define VGA_FILE  "pci1234,1111.rom" /* by vendor and device: SeaBIOS takes it for the card's ROM */

/* Where packages put firmware: Debian's seabios, qemu-system-data, and what was installed by
 * hand. */
static const char *const folders[] = {"/usr/share/seabios", "/usr/share/qemu",
                                      "/usr/local/share/qemu"};

static bool in_folder(const char *folder, const char *name, char *path, size_t room)
{
    int len = snprintf(path, room, "%s/%s", folder, name);

    return len > 0 && (size_t)len < room && access(path, F_OK) == 0;
}

static bool find(const struct config *cfg, const char *name, char *path, size_t room)
{
    if (strchr(name, '/') || access(name, F_OK) == 0)
        return (size_t)snprintf(path, room, "%s", name) < room;
    for (unsigned n = 0; n < cfg->firmware_folder_count; n++)
        if (in_folder(cfg->firmware_folder[n], name, path, room))
            return true;
    for (unsigned n = 0; n < ARRAY_LEN(folders); n++)
        if (in_folder(folders[n], name, path, room))
            return true;
    return false;
}

static int open_found(struct file *f, const struct config *cfg, const char *what, const char *name,
                      char *path, size_t room, struct error *e)
{
    if (!find(cfg, name, path, room))
        return error_set(e,
                         "the %s '%s' is not found; install Debian's package seabios, or name its "
                         "folder with -L",
                         what, name);
    return file_open(f, what, path, e);
}

int firmware_open(struct firmware *f, const struct config *cfg, struct error *e)
{
    if (open_found(&f->bios, cfg, "BIOS", cfg->bios, f->bios_path, sizeof f->bios_path, e))
        return -1;
    if (f->bios.size < ROM_LEAST || f->bios.size > ROM_MOST || (f->bios.size & GUEST_PAGE_MASK))
        return error_set(e, "the BIOS '%s' has %zu bytes; a ROM has whole pages, 64 KiB to 16 MiB",
                         f->bios_path, f->bios.size);
    if (!cfg->vga)
        return 0;
    if (open_found(&f->vga, cfg, "graphics card's BIOS", VGA_NAME, f->vga_path, sizeof f->vga_path,
                   e))
        return -1;
    f->file[f->file_count++] =
        (struct pc_file){.name = VGA_FILE, .bytes = f->vga.data, .size = (uint32_t)f->vga.size};
    return 0;
}

/* The ROM's bytes from `from` on, seen at `base`. They are the same for lockstep's second guest. */
static int add_rom(struct firmware *f, unsigned n, const struct region *whole, uint64_t from,
                   gpa_t base, struct vm *vm)
{
    struct vm *const vms[] = {vm, vm->lockstep ? &vm->lockstep->shadow : NULL};
    struct region *const regions[] = {&f->rom[n], &f->twin[n]};

    for (unsigned k = 0; k < ARRAY_LEN(vms) && vms[k]; k++) {
        struct region *r = regions[k];

        *r = *whole;
        r->name = n ? "isa-bios" : "bios";
        r->size -= from;
        r->host += from;
        r->at += from;
        r->page = f->page[2 * n + k] = zeroed_alloc(r->size >> GUEST_PAGE_SHIFT);
        if (!r->page || vm_region_add(vms[k], r) || vm_region_place(vms[k], r, base))
            return -1;
    }
    return 0;
}

int firmware_place(struct firmware *f, struct guest_ram *ram, struct vm *vm, struct error *e)
{
    struct region whole = {.kind = REGION_ROM, .size = f->bios.size};
    uint64_t low = whole.size < ISA_BYTES ? whole.size : ISA_BYTES;

    whole.host = guest_ram_add(ram, whole.size, &whole.at);
    if (!whole.host)
        return error_set(e, "the host gives no memory for the BIOS (%s)", strerror(errno));
    memcpy(whole.host, f->bios.data, whole.size);
    if (add_rom(f, 0, &whole, 0, ROM_END - whole.size, vm) ||
        (vm->ram_size >= ISA_END && add_rom(f, 1, &whole, whole.size - low, ISA_END - low, vm)))
        return error_set(e, "the BIOS has no place in the guest's memory");
    return 0;
}

void firmware_close(struct firmware *f)
{
    file_close(&f->bios);
    file_close(&f->vga);
    for (unsigned n = 0; n < ARRAY_LEN(f->page); n++)
        if (f->page[n])
            munmap(f->page[n], f->rom[n / 2].size >> GUEST_PAGE_SHIFT);
}
