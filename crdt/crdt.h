// Everything that syncline::crdt offers: the data types, used alone.
#pragma once

#include "crdt/bounded_counter.h"
#include "crdt/causal_context.h"
#include "crdt/counter.h"
#include "crdt/dot.h"
#include "crdt/error.h"
#include "crdt/flag.h"
#include "crdt/g_set.h"
#include "crdt/hlc.h"
#include "crdt/lww.h"
#include "crdt/mv_register.h"
#include "crdt/or_map.h"
#include "crdt/or_set.h"
#include "crdt/rw_set.h"
#include "crdt/value.h"
#include "crdt/value_traits.h"
#include "crdt/version.h"
