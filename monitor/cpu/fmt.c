/* SPDX-License-Identifier: MIT */
/*
 * fmt.c - the formatter of fmt.h.
 *
 * Promises   No state, no recursion, output bounded by the caller's buffer.
 */
#include "include/ring1/fmt.h"
#include "include/ring1/types.h"

struct sink {
    char *out;
    size_t cap, len;
};

static void sink_char(struct sink *s, char c)
{
    if (s->len + 1 < s->cap)
        s->out[s->len++] = c;
}

static void sink_fill(struct sink *s, char c, unsigned count)
{
    while (count-- > 0)
        sink_char(s, c);
}

static void sink_number(struct sink *s, uint64_t val, unsigned base, bool negative, unsigned width,
                        bool zeros)
{
    char digit[24];
    unsigned n = 0;

    do {
        digit[n++] = "0123456789abcdef"[val % base];
        val /= base;
    } while (val != 0);

    unsigned len = n + negative;
    unsigned pad = width > len ? width - len : 0;
    if (!zeros)
        sink_fill(s, ' ', pad);
    if (negative)
        sink_char(s, '-');
    if (zeros)
        sink_fill(s, '0', pad);
    while (n > 0)
        sink_char(s, digit[--n]);
}

static void sink_text(struct sink *s, const char *text, unsigned width)
{
    unsigned len = 0;

    for (text = text ? text : "(null)"; *text; text++, len++)
        sink_char(s, *text);
    if (len < width)
        sink_fill(s, ' ', width - len);
}

size_t fmt_vline(char *out, size_t cap, const char *fmt, va_list ap)
{
    struct sink s = {.out = out, .cap = cap};

    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            sink_char(&s, *fmt);
            continue;
        }
        fmt++;
        bool zeros = *fmt == '0';
        unsigned width = 0, longs = 0;
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            width = width * 10 + (unsigned)(*fmt - '0');
        for (; *fmt == 'l'; fmt++)
            longs++;
        uint64_t val;
        switch (*fmt) {
        case 'x':
        case 'u':
            val = longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
            sink_number(&s, val, *fmt == 'x' ? 16 : 10, false, width, zeros);
            break;
        case 'd': {
            int64_t sval = longs ? va_arg(ap, long) : va_arg(ap, int);
            val = sval < 0 ? 0 - (uint64_t)sval : (uint64_t)sval;
            sink_number(&s, val, 10, sval < 0, width, zeros);
            break;
        }
        case 's':
            sink_text(&s, va_arg(ap, const char *), width);
            break;
        case 'c':
            sink_char(&s, (char)va_arg(ap, int));
            break;
        case '\0': /* a lone % at the end */
            fmt--;
            sink_char(&s, '%');
            break;
        default:
            sink_char(&s, *fmt);
        }
    }
    if (cap > 0)
        out[s.len] = '\0';
    return s.len;
}

size_t fmt_line(char *out, size_t cap, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    size_t len = fmt_vline(out, cap, fmt, ap);
    va_end(ap);
    return len;
}
