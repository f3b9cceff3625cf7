//! This process as a node of several: it makes itself known, says how loaded it is, and knows who else
//! is there.
//!
//! In: the folder of papers that `parley cluster add-node` wrote, what the node says about itself. Out:
//! [`Others`], which changes while one looks.
//! [`Mesh`] connects the nodes with each other; [`Relay`] hands people's connections on to another node.
//! Invariant: nobody waits for the others. A process serves before it has joined, and goes on with what
//! it knew when the servers between the nodes are away.

mod facts;
mod figures;
mod mesh;
mod others;
mod place;
mod relay;
#[cfg(test)]
mod testing;
mod tls;

pub use cluster::NodeId;
pub use facts::{Facts, Kind, LinkReport, Report};
pub use mesh::{Hears, Meets, Mesh, MeshError, Wire};
pub use others::{Other, Others, Sight, State};
pub use place::{Place, check_papers};
pub use relay::{Entrance, Outgoing, Relay, RelayError};
pub use tls::IdentityError;
