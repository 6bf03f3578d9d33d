/* SPDX-License-Identifier: MIT */
/*
 * abi.h - what tiny's kernel and its programs agree on: system calls, their structures, the user
 * address space.
 *
 * A system call is int 0x80: number in EAX, arguments in EBX, ECX, EDX, result in EAX, negative for
 * an error.
 */
#ifndef TINY_ABI_H
#define TINY_ABI_H

#include <stdint.h>

enum syscall_number {
    SYS_EXIT,  /* (status) does not return */
    SYS_WRITE, /* (data, length) bytes taken; may be fewer than asked */
    SYS_READ,  /* (buffer, length) bytes read from the console, at least one: waits */
    SYS_YIELD, /* () */
    SYS_SLEEP, /* (ticks) */
    SYS_SPAWN, /* (function, name, argument) pid of a new process, which calls function(argument) */
    SYS_WAIT,  /* (pid or WAIT_ANY, &status) pid of the child that ended; waits unless WAIT_ANY */
    SYS_KILL,  /* (pid) */
    SYS_GETPID,  /* () */
    SYS_TICKS,   /* () ticks since the start */
    SYS_PROCESS, /* (slot, struct process_info *) 1, 0 for an empty slot, ERROR behind the last */
    SYS_SYSTEM,  /* (struct system_info *) */
    SYS_CLOCK,   /* (struct clock_info *) */
    SYS_CMDLINE, /* (buffer, length) length of the kernel's command line */
    SYS_POWER,   /* (enum power_how) does not return */
    SYS_COUNT
};

#define ERROR    (-1)
#define WAIT_ANY (-1)

enum power_how { POWER_OFF, POWER_RESET };

/* How a process ended: its own exit status (0-255), or one of these. */
#define ENDED_BY_KILL 0x100
#define ENDED_BY_TRAP 0x200 /* plus the vector */

#define TICKS_PER_SECOND 100u

/* The user half of an address space. Heap and stack get their pages when they are first touched. */
#define USER_BASE      0x40000000u /* the programs' image; execution starts at its first byte */
#define USER_HEAP      0x50000000u
#define USER_HEAP_SIZE 0x00100000u
#define USER_STACK_END 0x60000000u
#define USER_STACK_MAX 0x00010000u
#define USER_END       USER_STACK_END

#define NAME_SIZE     16
#define ARGUMENT_SIZE 128

struct process_info {
    int32_t pid, parent;
    uint32_t ticks, pages;
    char state[NAME_SIZE], name[NAME_SIZE];
};

struct system_info {
    uint32_t ticks, idle_ticks, switches, interrupts, page_faults;
    uint32_t pages, free_pages;
    /* What only the kernel should know; the program `holes` compares. */
    uint32_t gdt_base, gdt_limit, idt_base, idt_limit, cr0;
};

struct clock_info {
    uint32_t year, month, day, hour, minute, second;
};

#endif
