/* SPDX-License-Identifier: MIT */
/*
 * format.c - see format.h.
 */
#include "shared/format.h"

#include <stdbool.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t n)
{
    void *result = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return result;
}

void *memset(void *to, int value, size_t n)
{
    void *result = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

void string_copy(char *to, const char *from, size_t size)
{
    size_t n = 0;

    for (; n + 1 < size && from[n]; n++)
        to[n] = from[n];
    to[n] = 0;
}

/* One conversion: flags, width and kind in, digits out. */
struct field {
    bool left, zero;
    unsigned width;
    char digits[12];
    const char *text;
};

static void field_number(struct field *f, uint32_t value, unsigned base, bool negative)
{
    char *p = f->digits + sizeof f->digits - 1;

    *p = 0;
    do {
        *--p = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        *--p = '-';
    f->text = p;
}

static const char *field_parse(struct field *f, const char *p)
{
    *f = (struct field){0};
    for (;; p++) {
        if (*p == '-')
            f->left = true;
        else if (*p == '0')
            f->zero = true;
        else
            break;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        f->width = f->width * 10 + (unsigned)(*p - '0');
    return p;
}

size_t format(char *to, size_t size, const char *text, va_list args)
{
    size_t n = 0;

#define PUT(c) (n + 1 < size ? (void)(to[n++] = (c)) : (void)0)
    for (const char *p = text; *p; p++) {
        struct field f;
        if (*p != '%') {
            PUT(*p);
            continue;
        }
        p = field_parse(&f, p + 1);
        if (*p == 's') {
            f.text = va_arg(args, const char *);
        } else if (*p == 'c') {
            f.digits[0] = (char)va_arg(args, int);
            f.text = f.digits;
        } else if (*p == 'd') {
            int32_t value = va_arg(args, int32_t);
            field_number(&f, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10, value < 0);
        } else if (*p == 'u' || *p == 'x') {
            field_number(&f, va_arg(args, uint32_t), *p == 'u' ? 10 : 16, false);
        } else {
            f.text = "%";
            p -= *p == 0;
        }
        size_t length = strlen(f.text);
        for (size_t i = length; i < f.width && !f.left; i++)
            PUT(f.zero ? '0' : ' ');
        for (size_t i = 0; i < length; i++)
            PUT(f.text[i]);
        for (size_t i = length; i < f.width && f.left; i++)
            PUT(' ');
    }
#undef PUT
    if (size)
        to[n] = 0;
    return n;
}
