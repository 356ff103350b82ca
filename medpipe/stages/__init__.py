"""One room a stage; pure algorithm files and one edge each; rooms never import one another."""
