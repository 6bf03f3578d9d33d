/* SPDX-License-Identifier: MIT */
/*
 * write_map.h - writes to data on pages that hold code, without leaving translated code.
 *
 * Not here   Knowing where code lies: the engines' code maps do, by physical page
 *            (monitor/memory/code_map.h). A write map is a copy, for one linear page and privilege,
 *            of what all of them say, in the form that emitted code reads: a bit for each byte.
 *
 * Why        Such a page never has a tag for writing in the software TLB, so that a write to the
 *            code is seen. Data beside code (counters, tables, stacks of trampolines) would cost a
 *            callout at each write.
 * How        For a few linear pages that are written often, a map of the bytes that are code (of a
 *            block, decoded or translated). The cold path of a write asks it first
 *            (docs/codegen.md, section 4): a write that touches no code byte is done there.
 * Promises   An entry is as good as a tag: writing is allowed for that privilege, D is set, no
 *            breakpoint lies on the page, and its map holds every byte that is part of a block of
 *            any CPU. What flushes the TLB forgets all entries; what adds code to a page forgets
 *            that page's.
 */
#ifndef RING1_BT_RUN_WRITE_MAP_H
#define RING1_BT_RUN_WRITE_MAP_H

#include "include/ring1/types.h"

struct vcpu;
struct vm;

/* Makes all entries empty, which zeroed memory is not. */
void write_map_init(struct vcpu *v);

/* To be called after a callout for a write that no map allowed: makes an entry for the page when it
 * has had some of them. */
void write_map_note(struct vcpu *v);

/* Forgets the entries of a physical page: more of its bytes are code. */
void write_map_forget_page(struct vcpu *v, gpa_t page);

/* Forgets all entries of the CPU. */
void write_map_forget(struct vcpu *v);

#endif
