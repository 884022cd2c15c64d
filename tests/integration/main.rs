//! The contract, tested by running the program: each file is a part of it.

mod soak;
mod support;
mod wire;

mod abuse;
mod authorize;
mod bearer;
mod clients;
mod configuration;
mod cors;
mod device;
mod explain;
mod families;
mod faults;
mod grace;
mod http;
mod introspection;
mod layers;
mod metadata;
mod operations;
mod pages;
mod readme;
mod registration;
mod resource_lists;
mod resource_metadata;
mod resources;
mod running;
mod scopes;
mod signals;
mod state;
mod state_faults;
mod state_model;
mod testing;
mod throttle;
mod token;
mod userinfo;
