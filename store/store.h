// Everything that syncline::store offers: replicas and their keyspaces, and the types.
#pragma once

#include "crdt/crdt.h"
#include "store/keyspace.h"
#include "store/member.h"
#include "store/replica.h"
