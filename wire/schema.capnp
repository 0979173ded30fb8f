@0xd3a1f6c2b7e94815;
# The messages of a connection. docs/protocol.md describes every byte.
#
# Fields may be added with higher numbers; none is ever removed, renumbered or
# given another type. A receiver ignores fields that it doesn't know.
# Fields named `body` hold columns, not Cap'n Proto: the bulk of a message.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("syncline::schema");

struct Hello {
  protocol @0 :UInt16;
  cluster @1 :Data;
  node @2 :Data;  # 16 bytes.
  address @3 :Data;
  reads @4 :UInt16;  # Bits: what the sender can read beyond this version.
}

struct Keyspaces {
  names @0 :List(Data);
}

struct Tick {
  low @0 :UInt64;
  high @1 :UInt64;
}

struct Status {
  body @0 :Data;
}

struct Push {
  body @0 :Data;
}

struct Want {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  full @2 :Bool;
  hasResume @3 :Bool;
  fromNothing @4 :Bool;
  body @5 :Data;
  cursor @6 :Data;
  request @7 :Data;
}

struct Chunk {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  number @2 :UInt32;
  newRound @3 :Bool;
  full @4 :Bool;
  closing @5 :Bool;
  body @6 :Data;
  byDigests @7 :Bool;
  coding @8 :UInt8;  # Of the body: 0 as it is, 1 a Zstandard frame.
  hasFrontier @9 :Bool;
}

struct Refuse {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  reason @2 :Data;
}

struct Addresses {
  addresses @0 :List(Data);
}

struct Bye {
  code @0 :UInt16;
  reason @1 :Data;
}

struct Cut {
  body @0 :Data;
}

struct Ranges {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  body @2 :Data;
}

struct Sketch {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  body @2 :Data;
}

struct MoreSymbols {
  keyspace @0 :UInt32;
  pass @1 :UInt32;
  count @2 :UInt64;
}

struct Ask {
  body @0 :Data;
}
