/* SPDX-License-Identifier: MIT */
/*
 * aml.c - see aml.h.
 */
#include "devices/aml.h"

#include "include/ring1/mem.h"

/* Encodings of integers (ACPI 2.0, section 17.2.3). */
#define PREFIX_BYTE       0x0a
#define PREFIX_WORD       0x0b
#define PREFIX_DWORD      0x0c
#define PREFIX_DUAL_NAME  0x2e
#define PREFIX_MULTI_NAME 0x2f

void aml_byte(struct aml *a, uint8_t v)
{
    if (a->len < a->size)
        a->buf[a->len++] = v;
    else
        a->failed = true;
}

void aml_word(struct aml *a, uint16_t v)
{
    aml_byte(a, (uint8_t)v);
    aml_byte(a, (uint8_t)(v >> 8));
}

void aml_dword(struct aml *a, uint32_t v)
{
    aml_word(a, (uint16_t)v);
    aml_word(a, (uint16_t)(v >> 16));
}

void aml_op(struct aml *a, enum aml_op op)
{
    if (op > 0xff)
        aml_byte(a, (uint8_t)(op >> 8));
    aml_byte(a, (uint8_t)op);
}

void aml_open(struct aml *a, enum aml_op op)
{
    VMM_CHECK(a->open < AML_MAX_OPEN);
    aml_op(a, op);
    a->start[a->open++] = a->len;
}

/* The length counts itself: one byte up to 63, else a nibble and up to three more bytes. */
void aml_close(struct aml *a)
{
    size_t start = a->start[--a->open], body = a->len - start, extra = 0, total;

    if (body + 1 > 0x3f)
        extra = body + 2 <= 0xfff ? 1 : 2;
    total = body + 1 + extra;
    if (a->failed || a->len + 1 + extra > a->size || total > 0xfffff) {
        a->failed = true;
        return;
    }
    memmove(a->buf + start + 1 + extra, a->buf + start, body);
    a->buf[start] = (uint8_t)(extra ? extra << 6 | (total & 0xf) : total);
    for (size_t i = 0; i < extra; i++)
        a->buf[start + 1 + i] = (uint8_t)(total >> (4 + 8 * i));
    a->len += 1 + extra;
}

void aml_path(struct aml *a, const char *path)
{
    size_t segments = 1;

    if (*path == '\\')
        aml_byte(a, (uint8_t)*path++);
    for (const char *p = path; *p; p++)
        segments += *p == '.';
    if (segments == 2) {
        aml_byte(a, PREFIX_DUAL_NAME);
    } else if (segments > 2) {
        aml_byte(a, PREFIX_MULTI_NAME);
        aml_byte(a, (uint8_t)segments);
    }
    for (; *path; path++)
        if (*path != '.')
            aml_byte(a, (uint8_t)*path);
}

void aml_int(struct aml *a, uint32_t v)
{
    if (v <= 1) {
        aml_byte(a, (uint8_t)v); /* ZeroOp, OneOp */
    } else if (v <= 0xff) {
        aml_byte(a, PREFIX_BYTE);
        aml_byte(a, (uint8_t)v);
    } else if (v <= 0xffff) {
        aml_byte(a, PREFIX_WORD);
        aml_word(a, (uint16_t)v);
    } else {
        aml_byte(a, PREFIX_DWORD);
        aml_dword(a, v);
    }
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hex digits, most significant byte first. */
void aml_eisa_id(struct aml *a, const char *id)
{
    unsigned letters = (id[0] & 31u) << 10 | (id[1] & 31u) << 5 | (id[2] & 31u);

    aml_byte(a, PREFIX_DWORD);
    aml_byte(a, (uint8_t)(letters >> 8));
    aml_byte(a, (uint8_t)letters);
    aml_byte(a, (uint8_t)(hex_digit(id[3]) << 4 | hex_digit(id[4])));
    aml_byte(a, (uint8_t)(hex_digit(id[5]) << 4 | hex_digit(id[6])));
}

void aml_name_int(struct aml *a, const char *name, uint32_t v)
{
    aml_op(a, AML_NAME);
    aml_path(a, name);
    aml_int(a, v);
}

void aml_name_eisa(struct aml *a, const char *name, const char *id)
{
    aml_op(a, AML_NAME);
    aml_path(a, name);
    aml_eisa_id(a, id);
}

void aml_open_named(struct aml *a, enum aml_op op, const char *name)
{
    aml_open(a, op);
    aml_path(a, name);
}

void aml_open_method(struct aml *a, const char *name, unsigned args)
{
    aml_open_named(a, AML_METHOD, name);
    aml_byte(a, (uint8_t)args);
}

void aml_field_unit(struct aml *a, const char *name, unsigned bits)
{
    aml_path(a, name);
    aml_byte(a, (uint8_t)bits); /* below 64: a one-byte package length */
}

/* Buffer (n) { ... }; templates here stay below 256 bytes, so the size is a byte constant. */
void aml_res_open(struct aml *a)
{
    aml_open(a, AML_BUFFER);
    aml_byte(a, PREFIX_BYTE);
    aml_byte(a, 0);
    a->res_start = a->len;
}

void aml_res_close(struct aml *a)
{
    aml_byte(a, 0x79); /* end tag, checksum 0: not given */
    aml_byte(a, 0x00);
    if (a->len - a->res_start > 0xff)
        a->failed = true;
    if (!a->failed)
        a->buf[a->res_start - 1] = (uint8_t)(a->len - a->res_start);
    aml_close(a);
}

void aml_res_io(struct aml *a, uint16_t base, uint8_t len)
{
    aml_byte(a, 0x47);
    aml_byte(a, 1); /* decodes 16 bits */
    aml_word(a, base);
    aml_word(a, base);
    aml_byte(a, 1);
    aml_byte(a, len);
}

void aml_res_irq(struct aml *a, unsigned irq)
{
    aml_byte(a, 0x22);
    aml_word(a, (uint16_t)(1u << irq));
}

void aml_res_interrupts(struct aml *a, const uint8_t *list)
{
    unsigned count = 0;

    while (list[count])
        count++;
    aml_byte(a, 0x89);
    aml_word(a, (uint16_t)(2 + 4 * (count ? count : 1)));
    aml_byte(a, 0x09); /* consumer, level, active high, shared */
    aml_byte(a, (uint8_t)(count ? count : 1));
    for (unsigned i = 0; i < count; i++)
        aml_dword(a, list[i]);
    if (!count)
        aml_dword(a, 0);
}

void aml_res_window(struct aml *a, enum aml_window kind, uint32_t first, uint32_t last)
{
    static const uint8_t type_flags[] = {
        [AML_WINDOW_MEMORY] = 0x01, /* read/write, not cacheable */
        [AML_WINDOW_IO] = 0x03,     /* whole range */
        [AML_WINDOW_BUS] = 0x00,
    };
    uint32_t value[5] = {0, first, last, 0, last - first + 1};
    bool wide = kind == AML_WINDOW_MEMORY;

    aml_byte(a, wide ? 0x87 : 0x88);
    aml_word(a, wide ? 0x17 : 0x0d);
    aml_byte(a, (uint8_t)kind);
    aml_byte(a, 0x0c); /* producer, both ends fixed */
    aml_byte(a, type_flags[kind]);
    for (unsigned i = 0; i < 5; i++) {
        if (wide)
            aml_dword(a, value[i]);
        else
            aml_word(a, (uint16_t)value[i]);
    }
}
