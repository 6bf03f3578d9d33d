/* SPDX-License-Identifier: MIT */
/*
 * lib.c - see lib.h.
 */
#include "user/lib.h"

#define CTRL_C    3
#define CTRL_U    21
#define BACKSPACE 8
#define DELETE    127

void exit(int status)
{
    system_call(SYS_EXIT, (uint32_t)status, 0, 0);
    __builtin_unreachable();
}

static void write(const char *data, size_t length)
{
    while (length) {
        int32_t n = system_call(SYS_WRITE, (uint32_t)data, length, 0);
        if (n < 0)
            return;
        data += n;
        length -= (size_t)n;
    }
}

void print(const char *text, ...)
{
    char line[256];
    va_list args;

    va_start(args, text);
    size_t length = format(line, sizeof line, text, args);
    va_end(args);
    write(line, length);
}

uint32_t ticks(void)
{
    return (uint32_t)system_call(SYS_TICKS, 0, 0, 0);
}

void sleep(uint32_t for_ticks)
{
    system_call(SYS_SLEEP, for_ticks, 0, 0);
}

void system_get(struct system_info *info)
{
    system_call(SYS_SYSTEM, (uint32_t)info, 0, 0);
}

static char character_read(void)
{
    static char input[32];
    static int32_t next, count;

    while (next >= count) {
        next = 0;
        count = system_call(SYS_READ, (uint32_t)input, sizeof input, 0);
    }
    return input[next++];
}

bool line_read(const char *prompt, char *line, size_t size)
{
    size_t n = 0;

    print("%s", prompt);
    for (;;) {
        char c = character_read();
        if (c == '\r' || c == '\n' || c == CTRL_C) {
            line[n] = 0;
            print(c == CTRL_C ? "^C\n" : "\n");
            return c != CTRL_C;
        }
        if (c == BACKSPACE || c == DELETE || c == CTRL_U) {
            size_t left = c == CTRL_U || n == 0 ? 0 : n - 1;
            for (; n > left; n--)
                print("\b \b");
        } else if (c >= ' ' && c < DELETE && n + 1 < size) {
            line[n++] = c;
            write(&c, 1);
        }
    }
}

bool number_parse(const char *text, uint32_t *value)
{
    uint32_t n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        uint32_t digit = (uint32_t)(*text - '0');
        if (digit > 9 || n > (UINT32_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}
