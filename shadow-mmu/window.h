/* SPDX-License-Identifier: MIT */
/*
 * window.h - windows: 4 GiB of host address space each, in which the host's own MMU does what the
 * guest's page tables say.
 *
 * Promises   A window is a big TLB. What is mapped in it was allowed by a walk of the guest's
 *            tables (A set; D set where it is writable) and stays so until the guest flushes; every
 *            flush (mmu.h) compares the mapped entries with the tables and drops only what differs.
 *            Nothing is writable that holds code (PAGE_CODE, PAGE_TRANSLATED), is ROM or watched by
 *            a data breakpoint; devices are never mapped.
 * Rights     The host hears what the tables say (HOST_MAP_USER, HOST_MAP_GLOBAL), and what was
 *            asked for: a page is writable after a write (its neighbours, where D is set already),
 *            executable after a fetch, never both.
 * Budgets    Windows take at most vcpu_host.window_runs and window_size() bytes, whatever the guest
 *            does: a whole window is dropped to make room. When the host refuses, the budget is
 *            halved; after some nine refusals in a row there are no windows any more.
 * Windows    Of the host's n windows, 0 to WINDOW_SUPERS - 1 are for CPL 0-2; the address spaces
 *            whose kernel halves are the same share one (window_space.c). They show supervisor
 *            pages, and user pages only of 2 or 4 MiB and without SMAP (kernel accesses to user
 *            memory go through the software TLB). Those up to n - 2 are for CPL 3 of the address
 *            spaces (CR3) used last. Window n - 1 is always empty, for all others.
 * Not here   The software TLB (tlb.h). Fetching: translated code does not fetch from windows; an
 *            engine that runs guest code directly asks for MMU_EXEC, page by page, when it has
 *            looked at the page.
 */
#ifndef RING1_SHADOW_MMU_WINDOW_H
#define RING1_SHADOW_MMU_WINDOW_H

#include "include/ring1/types.h"

struct vcpu;

/* How many supervisor windows there are if the host has HOST_WINDOWS; with fewer there is one. */
#define WINDOW_SUPERS 4u

/* Bytes for window_init(), which the host allocates zeroed. */
size_t window_size(void);

/* Makes v->windows from `memory`, window_size() zeroed bytes that the caller keeps; v->host's
 * windows are in place. Without a call v->windows stays NULL and nothing here does anything. */
void window_init(struct vcpu *v, void *memory);

/* Can memory be accessed through v->bt.window[] at present? Constant between flushes. */
bool window_usable(const struct vcpu *v);

/* A number made of everything besides the tables that decides what may be mapped: when it changes,
 * all windows become empty. */
uint64_t window_mode(const struct vcpu *v);

/* An access to gla (MMU_READ, MMU_WRITE, or MMU_EXEC: the fetch of an instruction that begins
 * there) trapped in the window of the present CPL. True: it is mapped now, run the instruction
 * again, with v->bt.window[] read anew (an address space that was in the empty window has got its
 * own). False: the interpreter must do this access; nothing has changed.
 * Whoever asks for MMU_EXEC watches the page's bytes (monitor/memory/page.h). The
 * permission ends with the mapping, with a store through it, and with mmu_flush_gpa(). */
bool window_fill(struct vcpu *v, gla_t gla, unsigned access);

/* Sets v->bt.window[] for the present CR3. The flushes do so by themselves. */
void window_select(struct vcpu *v);

#endif
