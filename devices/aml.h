/* SPDX-License-Identifier: MIT */
/*
 * aml.h - writes ACPI machine language: the few operators that a small DSDT needs.
 *
 * Promises   Package lengths and buffer sizes are filled in by the closing function, in their
 *            shortest form. Running out of room sets `failed` and writes nothing beyond the
 *            buffer.
 * Source     ACPI specification 2.0, chapter 17 (AML) and section 6.4 (resource descriptors).
 */
#ifndef RING1_DEVICES_AML_H
#define RING1_DEVICES_AML_H

#include "include/ring1/types.h"

#define AML_MAX_OPEN 12

struct aml {
    uint8_t *buf;
    size_t len, size;
    bool failed;
    unsigned open;
    size_t start[AML_MAX_OPEN]; /* where the package length of each open object belongs */
    size_t res_start;           /* first byte of the open resource template */
};

enum aml_op {
    AML_NAME = 0x08,
    AML_SCOPE = 0x10,
    AML_BUFFER = 0x11,
    AML_PACKAGE = 0x12,
    AML_METHOD = 0x14,
    AML_ARG0 = 0x68,
    AML_STORE = 0x70,
    AML_AND = 0x7b,
    AML_OR = 0x7d,
    AML_CREATE_DWORD_FIELD = 0x8a,
    AML_IF = 0xa0,
    AML_RETURN = 0xa4,
    AML_REGION = 0x5b80, /* extended operators: prefix in the upper byte */
    AML_FIELD = 0x5b81,
    AML_DEVICE = 0x5b82,
    AML_PROCESSOR = 0x5b83,
};

void aml_byte(struct aml *a, uint8_t v);
void aml_word(struct aml *a, uint16_t v);
void aml_dword(struct aml *a, uint32_t v);
void aml_op(struct aml *a, enum aml_op op);
/* Operators that carry a package length: everything until aml_close() belongs to them. */
void aml_open(struct aml *a, enum aml_op op);
void aml_close(struct aml *a);

void aml_path(struct aml *a,
              const char *path); /* "\\_SB_.PCI0", "LNKA": whole four-character segments */
void aml_int(struct aml *a, uint32_t v);
void aml_eisa_id(struct aml *a, const char *id); /* "PNP0A03" */
void aml_name_int(struct aml *a, const char *name, uint32_t v);
void aml_name_eisa(struct aml *a, const char *name, const char *id);
void aml_open_named(struct aml *a, enum aml_op op, const char *name); /* Scope, Device */
void aml_open_method(struct aml *a, const char *name, unsigned args);
/* A named field of `bits` bits, inside an open Field. */
void aml_field_unit(struct aml *a, const char *name, unsigned bits);

/* Resource templates: open, descriptors, close. */
void aml_res_open(struct aml *a);
void aml_res_close(struct aml *a);
void aml_res_io(struct aml *a, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *a, unsigned irq);
/* Extended interrupt descriptor: level, active high, shared; `list` ends with 0, an empty list
 * gives one 0. */
void aml_res_interrupts(struct aml *a, const uint8_t *list);
enum aml_window { AML_WINDOW_MEMORY, AML_WINDOW_IO, AML_WINDOW_BUS };
void aml_res_window(struct aml *a, enum aml_window kind, uint32_t first, uint32_t last);

#endif
