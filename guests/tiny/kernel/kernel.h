/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - everything that tiny's kernel files share.
 *
 * The kernel runs with interrupts off, except in the scheduler's idle loop: so it needs no locks,
 * and a process gives up the CPU only on its way back to ring 3 or where it waits. RAM below 1 GiB
 * is mapped at its own address.
 */
#ifndef TINY_KERNEL_H
#define TINY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/abi.h"
#include "shared/format.h"

#define PAGE_SIZE          4096u
#define PROCESS_MAX        32
#define SELECTOR_CODE      0x08u
#define SELECTOR_DATA      0x10u
#define SELECTOR_USER_CODE 0x1bu
#define SELECTOR_USER_DATA 0x23u
#define SELECTOR_TSS       0x28u
#define EFLAGS_IF          0x200u
#define VECTOR_PAGE_FAULT  14u
#define VECTOR_IRQ         0x20u
#define VECTOR_SYSCALL     0x80u

/* What multiboot's loader tells, as far as it interests us. */
struct multiboot {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
    uint32_t modules[2], symbols[4], map_length, map;
};

/* The stack after a trap; entry.S pushes it. */
struct frame {
    uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
    uint32_t gs, fs, es, ds;
    uint32_t vector, error;
    uint32_t eip, cs, eflags, esp, ss; /* the last two only when it came from ring 3 */
};

enum process_state { FREE, READY, SLEEPING, READING, WAITING, ZOMBIE };

struct process {
    enum process_state state;
    bool killed; /* ends on its way back to ring 3 */
    int pid, parent, status;
    int wait_for;          /* WAITING: for this child */
    uint32_t wake_tick;    /* SLEEPING: until then */
    uint32_t ticks;        /* CPU time used */
    uint32_t *space;       /* page directory */
    uint8_t *kernel_stack; /* one page */
    uint32_t kernel_esp;   /* while it does not run */
    char name[NAME_SIZE];
};

/* entry.S */
extern const uint8_t trap_stubs[], syscall_stub[], trap_return[], user_image[];
extern uint8_t kernel_code[], kernel_code_end[], kernel_end[];
void stack_switch(uint32_t *save_esp, uint32_t load_esp);

/* main.c */
extern char command_line[256];
void kernel_main(uint32_t magic, const struct multiboot *info);
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));
__attribute__((noreturn)) void panic(const char *reason, const struct frame *f);

/* cpu.c: segments, gates, exceptions */
extern struct system_info system;
void cpu_init(void);
void cpu_set_kernel_stack(uint32_t end); /* where the next trap from ring 3 begins to push */
void trap(struct frame *f);

/* memory.c: page frames and address spaces. A frame is named by its address; 0 is "none left". */
void memory_init(const struct multiboot *info);
uint32_t frame_alloc(void); /* zeroed */
void frame_free(uint32_t frame);
uint32_t *space_create(void);
void space_clear(uint32_t *space); /* frees the user half */
uint32_t space_add(uint32_t *space, uint32_t address, bool writable);
uint32_t space_pages(const uint32_t *space);
void space_use(const uint32_t *space); /* NULL: the kernel's own */
bool memory_fault(uint32_t address, bool present);
bool user_range_ok(uint32_t address, uint32_t length, bool write);

/* process.c */
extern struct process *current; /* NULL in the scheduler */
extern bool want_switch;
int process_create(uint32_t function, const char *name, const char *argument);
void process_yield(void);
void process_block(enum process_state state);
void process_wake(enum process_state state);
__attribute__((noreturn)) void process_exit(int status);
int process_wait(int pid, int *status);
int process_kill(int pid);
bool process_interrupt(void);
void process_tick(void);
int process_describe(uint32_t slot, struct process_info *info);
__attribute__((noreturn)) void scheduler(void);

/* syscall.c */
void syscall(struct frame *f);

/* serial.c: COM1 */
void serial_init(void);
void serial_interrupt(void);
void serial_put(char c);
int serial_read(char *to, uint32_t size); /* waits for the first byte */

/* board.c: interrupt controllers, timer, clock, power */
void board_init(void);
bool board_interrupt_begin(unsigned irq); /* false: spurious */
void board_clock(struct clock_info *now);
__attribute__((noreturn)) void board_power(enum power_how how);

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#endif
