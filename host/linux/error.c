/* SPDX-License-Identifier: MIT */
/* error.c - see error.h. */
#include "host/linux/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Process-wide on purpose: the prefix of what this process says. */
static const char *guest_name;

static void make_printable(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int error_set(struct error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    make_printable(e->text);
    return -1;
}

const char *refusal(int err)
{
    switch (err) {
    case EFBIG:
        return "it counts as a file, and the limit of file sizes is lower; see ulimit -f";
    case EMFILE:
        return "too many open files; see ulimit -n";
    case ENOMEM:
        return "out of memory, or a limit of this process is met; see ulimit -d and -v";
    case EAGAIN:
        return "a limit of this user is met; see ulimit -i";
    default:
        return strerror(err);
    }
}

void say_as(const char *name)
{
    guest_name = name;
}

void say(const char *fmt, ...)
{
    char text[640], line[800];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_printable(text);
    /* CR first, and CR LF at the end: the terminal may be in raw mode, the cursor anywhere. */
    bool tty = isatty(STDERR_FILENO);
    int n =
        snprintf(line, sizeof line, "ring1%s%.80s%s: %s%s", guest_name ? " (" : "",
                 guest_name ? guest_name : "", guest_name ? ")" : "", text, tty ? "\r\n" : "\n");
    if (n > (int)sizeof line - 1)
        n = (int)sizeof line - 1;
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nowhere left to complain */
}
