"""What a request asks for: structure first (endpoint, images, tools, the role of the call), then a learned linear model over its words."""
