/* SPDX-License-Identifier: MIT */
/*
 * segments.h - the nucleus's GDT, LDT, TSS and IDT.
 *
 * Promises   Every trap and interrupt ends in trap() on a stack of the nucleus, whatever rsp was:
 *            in translated code it is no stack. NMI, #DF and #MC have stacks of their own.
 * Source     SDM vol. 3A, sections 3.4.5, 6.14 (64-bit mode), 8.7 (64-bit TSS).
 */
#ifndef RING1_HOST_METAL_SEGMENTS_H
#define RING1_HOST_METAL_SEGMENTS_H

#include "include/ring1/types.h"

void segments_init(void);

/* Writes the descriptor of a guest's selector, below DIRECT_SELECTORS, into our GDT or LDT; 0: none
 * is there. */
void segments_guest(uint16_t sel, uint64_t descriptor);

/* While guest code runs at CPL 1, our 64-bit segments of that level do not exist: a far jump into
 * them would name all memory. */
void segments_hide_ring1(bool hide);

#endif
