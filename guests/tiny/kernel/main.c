/* SPDX-License-Identifier: MIT */
/*
 * main.c - tiny's start, its messages, its last words.
 */
#include "kernel/kernel.h"

#define MULTIBOOT_LOADED      0x2badb002u
#define MULTIBOOT_HAS_CMDLINE 4u

char command_line[256];

void print(const char *text, ...)
{
    char line[200];
    va_list args;

    va_start(args, text);
    format(line, sizeof line, text, args);
    va_end(args);
    for (const char *p = line; *p; p++)
        serial_put(*p);
}

void panic(const char *reason, const struct frame *f)
{
    print("tiny: panic: %s\n", reason);
    if (f) {
        print("vector %u error 0x%x eip 0x%08x cs 0x%x eflags 0x%x\n", f->vector, f->error, f->eip,
              f->cs, f->eflags);
        print("eax %08x ebx %08x ecx %08x edx %08x esi %08x edi %08x ebp %08x\n", f->eax, f->ebx,
              f->ecx, f->edx, f->esi, f->edi, f->ebp);
    }
    board_power(POWER_RESET);
}

void kernel_main(uint32_t magic, const struct multiboot *info)
{
    serial_init();
    if (magic != MULTIBOOT_LOADED)
        panic("not started by a multiboot loader", NULL);
    if (info->flags & MULTIBOOT_HAS_CMDLINE)
        string_copy(command_line, (const char *)info->cmdline, sizeof command_line);
    cpu_init();
    memory_init(info); /* the loader's data may be overwritten from here on */
    board_init();
    print("\ntiny: ring1's own guest OS, %u KiB of memory, %u KiB free, timer at %u Hz\n",
          system.pages * (PAGE_SIZE / 1024), system.free_pages * (PAGE_SIZE / 1024),
          TICKS_PER_SECOND);
    if (process_create(0, "shell", "") != 1)
        panic("no memory for the shell", NULL);
    scheduler();
}
