/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - the system calls of shared/abi.h.
 *
 * Promises   No pointer from ring 3 is used before user_range_ok() has seen all of it.
 */
#include "kernel/kernel.h"

#define WRITE_MAX 64u /* one call's share: interrupts are off while the serial line takes it */

/* A text from user memory, cut off at `size`. */
static bool text_get(char *to, uint32_t from, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (!user_range_ok(from + i, 1, false))
            return false;
        to[i] = *(const char *)(from + i);
        if (!to[i])
            return true;
    }
    to[size - 1] = 0;
    return true;
}

static int32_t sys_write(uint32_t from, uint32_t length)
{
    if (length > WRITE_MAX)
        length = WRITE_MAX;
    if (!user_range_ok(from, length, false))
        return ERROR;
    for (uint32_t i = 0; i < length; i++)
        serial_put(*(const char *)(from + i));
    return (int32_t)length;
}

static int32_t sys_sleep(uint32_t ticks)
{
    current->wake_tick = system.ticks + (ticks < INT32_MAX ? ticks : INT32_MAX);
    process_block(SLEEPING);
    return 0;
}

static int32_t sys_spawn(uint32_t function, uint32_t name, uint32_t argument)
{
    char name_text[NAME_SIZE], argument_text[ARGUMENT_SIZE];

    if (!text_get(name_text, name, sizeof name_text) ||
        !text_get(argument_text, argument, sizeof argument_text))
        return ERROR;
    return process_create(function, name_text, argument_text);
}

static int32_t sys_cmdline(uint32_t to, uint32_t size)
{
    if (!size || !user_range_ok(to, size, true))
        return ERROR;
    string_copy((char *)to, command_line, size);
    return (int32_t)strlen(command_line);
}

static int32_t sys_system(uint32_t to)
{
    if (!user_range_ok(to, sizeof system, true))
        return ERROR;
    *(struct system_info *)to = system;
    return 0;
}

static int32_t sys_clock(uint32_t to)
{
    if (!user_range_ok(to, sizeof(struct clock_info), true))
        return ERROR;
    board_clock((struct clock_info *)to);
    return 0;
}

static int32_t dispatch(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    switch (number) {
    case SYS_EXIT:
        process_exit((int)(a & 0xff));
    case SYS_WRITE:
        return sys_write(a, b);
    case SYS_READ:
        return b && user_range_ok(a, b, true) ? serial_read((char *)a, b) : ERROR;
    case SYS_YIELD:
        want_switch = true;
        return 0;
    case SYS_SLEEP:
        return sys_sleep(a);
    case SYS_SPAWN:
        return sys_spawn(a, b, c);
    case SYS_WAIT:
        return user_range_ok(b, sizeof(int), true) ? process_wait((int)a, (int *)b) : ERROR;
    case SYS_KILL:
        return process_kill((int)a);
    case SYS_GETPID:
        return current->pid;
    case SYS_TICKS:
        return (int32_t)system.ticks;
    case SYS_PROCESS:
        return user_range_ok(b, sizeof(struct process_info), true)
                   ? process_describe(a, (struct process_info *)b)
                   : ERROR;
    case SYS_SYSTEM:
        return sys_system(a);
    case SYS_CLOCK:
        return sys_clock(a);
    case SYS_CMDLINE:
        return sys_cmdline(a, b);
    case SYS_POWER:
        board_power(a == POWER_OFF ? POWER_OFF : POWER_RESET);
    default:
        return ERROR;
    }
}

void syscall(struct frame *f)
{
    f->eax = (uint32_t)dispatch(f->eax, f->ebx, f->ecx, f->edx);
}
